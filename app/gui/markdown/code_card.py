"""A code block: its language, a copy button, and the code with its colours."""

import time

from PySide6.QtCore import Qt
from PySide6.QtGui import (
    QColor,
    QGuiApplication,
    QResizeEvent,
    QSyntaxHighlighter,
    QTextCharFormat,
    QTextCursor,
    QWheelEvent,
)
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPlainTextEdit, QVBoxLayout, QWidget

from app.gui.markdown.highlight import LARGE_CHARACTERS, Span, colour_of, spans_of
from app.gui.markdown.pieces import Code
from app.gui.markdown.writer import INDENT_PX
from app.gui.tasks import Tasks
from app.gui.theme import code_font, current_theme
from app.gui.widgets.buttons import copy_button
from app.gui.widgets.labels import plain_label

REST_FACTOR = 10
LONGEST_REST_S = 1.0
MARGIN_PX = 8
SIDE_PX = 4


class CodeCard(QWidget):
    """Shows code that may still grow: new text is added at the end, colours follow when there is time."""

    def __init__(self, code: Code, tasks: Tasks, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._tasks = tasks
        self._code = Code("")
        self._colour_after_s = 0.0
        self._view = _CodeView(self)
        self._highlighter = _Highlighter(self._view.document())
        self._language = plain_label(code.language or self.tr("code"), "muted")
        self._copy = copy_button(self.tr("Copy code"), self.copy)
        self._build(code.indent * INDENT_PX)
        self.update_code(code)

    @property
    def text(self) -> str:
        """The code shown."""
        return self._code.text

    def update_code(self, code: Code) -> None:
        """Show `code`; what only grew is appended, not written again."""
        old, self._code = self._code, code
        if code.text.startswith(old.text):
            self._view.append_text(code.text[len(old.text) :])
        else:
            self._view.setPlainText(code.text)
        if old.language != code.language:
            self._language.setText(code.language or self.tr("code"))
        self._view.fit()
        if len(code.text) <= LARGE_CHARACTERS and time.monotonic() >= self._colour_after_s:
            self._colour_now()

    def finish(self) -> None:
        """Colour all of it; what is long is read on a pool thread."""
        if len(self._code.text) <= LARGE_CHARACTERS:
            self._colour_now()
        else:
            code = self._code
            self._tasks.run(lambda _: spans_of(code.text, code.language), done=self._highlighter.show_spans, owner=self)

    def copy(self) -> None:
        """Put the code on the clipboard."""
        QGuiApplication.clipboard().setText(self._code.text)

    def recolour(self) -> None:
        """Follow a new theme."""
        self._highlighter.rehighlight()

    def _colour_now(self) -> None:
        started_s = time.thread_time()
        self._highlighter.show_spans(spans_of(self._code.text, self._code.language))
        self._colour_after_s = time.monotonic() + min(REST_FACTOR * (time.thread_time() - started_s), LONGEST_REST_S)

    def _build(self, indent_px: int) -> None:
        frame = QFrame(self)
        frame.setObjectName("codeCard")
        outer = QVBoxLayout(self)
        outer.setContentsMargins(indent_px, 0, 0, 0)
        outer.addWidget(frame)
        head = QHBoxLayout()
        head.setContentsMargins(12, 4, 4, 0)
        head.addWidget(self._language)
        head.addStretch(1)
        head.addWidget(self._copy)
        layout = QVBoxLayout(frame)
        layout.setContentsMargins(1, 1, 1, 5)
        layout.setSpacing(0)
        layout.addLayout(head)
        layout.addWidget(self._view)


class _CodeView(QPlainTextEdit):
    """Read-only code as high as its lines; wide code scrolls sideways."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setReadOnly(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.setTabChangesFocus(True)
        self.setFont(code_font())
        self.setUndoRedoEnabled(False)
        self.document().setDocumentMargin(MARGIN_PX)
        self.setViewportMargins(SIDE_PX, 0, SIDE_PX, 0)
        self.horizontalScrollBar().rangeChanged.connect(self.fit)
        self.setAccessibleName(self.tr("Code"))

    def append_text(self, text: str) -> None:
        """Add text at the end and keep the user's selection."""
        cursor = QTextCursor(self.document())
        cursor.movePosition(QTextCursor.MoveOperation.End)
        cursor.insertText(text)

    def fit(self, *_: int) -> None:
        """Take the height of the lines, and of the sideways scroll bar when it is needed."""
        bar = self.horizontalScrollBar()
        bar_px = bar.sizeHint().height() if bar.maximum() > 0 else 0
        lines_px = self.blockCount() * self.fontMetrics().lineSpacing()
        self.setFixedHeight(lines_px + 2 * int(self.document().documentMargin()) + bar_px)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Scroll sideways only; up and down belongs to the page."""
        if abs(event.angleDelta().x()) > abs(event.angleDelta().y()):
            super().wheelEvent(event)
        else:
            event.ignore()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Make room for the scroll bar when it comes."""
        super().resizeEvent(event)
        self.fit()


class _Highlighter(QSyntaxHighlighter):
    """Applies spans computed elsewhere, line by line; only lines whose spans changed are touched."""

    _spans: tuple[tuple[Span, ...], ...] = ()

    def show_spans(self, spans: tuple[tuple[Span, ...], ...]) -> None:
        """Colour by `spans`."""
        old, self._spans = self._spans, spans
        document = self.document()
        for line in range(document.blockCount()):
            before = old[line] if line < len(old) else ()
            after = spans[line] if line < len(spans) else ()
            if before != after:
                self.rehighlightBlock(document.findBlockByNumber(line))

    def highlightBlock(self, text: str) -> None:
        """Colour one line."""
        line = self.currentBlock().blockNumber()
        theme = current_theme()
        for span in self._spans[line] if line < len(self._spans) else ():
            form = QTextCharFormat()
            form.setForeground(QColor(colour_of(span.role, theme)))
            if span.role == "comment":
                form.setFontItalic(True)
            self.setFormat(span.start, span.length, form)
