"""Where the user writes: Enter sends, Shift+Enter breaks the line, Esc stops the answer."""

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QFocusEvent, QKeyEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPlainTextEdit, QVBoxLayout, QWidget

from app.gui.icons import icon
from app.gui.widgets.buttons import push_button
from app.gui.widgets.labels import plain_label, set_kind

MAX_LINES = 10


class Composer(QFrame):
    """The text field with its Send or Stop button; a draft stays until it is sent."""

    sent = Signal(str)
    stopped = Signal()
    escaped = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("composer")
        self._answering = False
        self._field = _Field(self)
        self._field.submitted.connect(self.submit)
        self._field.escaped.connect(self.escape)
        self._field.focused.connect(self._on_focused)
        self._field.textChanged.connect(self._refresh)
        self._hint = plain_label(self.tr("Enter sends, Shift+Enter begins a new line"), "muted", wrap=True)
        self._hint.setContentsMargins(2, 0, 0, 0)
        self._button = push_button(self.tr("Send"), self._on_button, "primary", "arrow-up")
        self._button.setObjectName("send")
        self._button.setMinimumWidth(96)
        bottom = QHBoxLayout()
        bottom.addWidget(self._hint, 1)
        bottom.addWidget(self._button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(12, 10, 8, 8)
        layout.setSpacing(4)
        layout.addWidget(self._field)
        layout.addLayout(bottom)
        self.setFocusProxy(self._field)
        self._refresh()

    @property
    def field(self) -> QPlainTextEdit:
        """The text field itself."""
        return self._field

    @property
    def draft(self) -> str:
        """The text not yet sent."""
        return self._field.toPlainText()

    def set_draft(self, text: str) -> None:
        """Put text into the field, the cursor at its end."""
        self._field.setPlainText(text)
        self._field.moveCursor(self._field.textCursor().MoveOperation.End)

    def set_answering(self, answering: bool) -> None:
        """Show Stop while an answer streams, else Send."""
        self._answering = answering
        self._refresh()

    def set_hint(self, text: str) -> None:
        """Say something short below the field; "" brings back the keys."""
        self._hint.setText(text or self.tr("Enter sends, Shift+Enter begins a new line"))

    def submit(self) -> None:
        """Send what is written, unless an answer is being written."""
        text = self.draft.strip()
        if text and not self._answering:
            self._field.clear()
            self.sent.emit(text)

    def escape(self) -> None:
        """Stop the answer, or give an edit up."""
        if self._answering:
            self.stopped.emit()
        else:
            self.escaped.emit()

    def _on_button(self) -> None:
        if self._answering:
            self.stopped.emit()
        else:
            self.submit()

    def _on_focused(self, focused: bool) -> None:
        self.setProperty("focused", focused)
        self.style().unpolish(self)
        self.style().polish(self)

    def _refresh(self) -> None:
        text = self.tr("Stop") if self._answering else self.tr("Send")
        if self._button.text() != text:
            self._button.setText(text)
            self._button.setAccessibleName(text)
            self._button.setToolTip(self.tr("Stop the answer (Esc)") if self._answering else self.tr("Send (Enter)"))
            set_kind(self._button, "" if self._answering else "primary")
            self._button.setIcon(icon("stop", "text") if self._answering else icon("arrow-up", "on_accent"))
        self._button.setEnabled(self._answering or bool(self.draft.strip()))


class _Field(QPlainTextEdit):
    """Grows with its text up to ten lines."""

    submitted = Signal()
    escaped = Signal()
    focused = Signal(bool)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setPlaceholderText(self.tr("Ask anything…"))
        self.setAccessibleName(self.tr("Your message"))
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setTabChangesFocus(True)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAsNeeded)
        self.document().setDocumentMargin(2)
        self.document().documentLayout().documentSizeChanged.connect(lambda _: self._fit())
        self._fit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Enter submits, but not while an input method composes; Esc is passed on."""
        enter = event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter)
        if enter and not event.modifiers() & (Qt.KeyboardModifier.ShiftModifier | Qt.KeyboardModifier.AltModifier):
            self.submitted.emit()
        elif event.key() == Qt.Key.Key_Escape:
            self.escaped.emit()
        else:
            super().keyPressEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Show the ring around the whole composer."""
        super().focusInEvent(event)
        self.focused.emit(True)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """Take the ring away."""
        super().focusOutEvent(event)
        self.focused.emit(False)

    def changeEvent(self, event: QEvent) -> None:
        """Follow the font."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange:
            self._fit()

    def _fit(self) -> None:
        lines = min(MAX_LINES, max(1, int(self.document().size().height())))
        self.setFixedHeight(lines * self.fontMetrics().lineSpacing() + 2 * int(self.document().documentMargin()) + 2)
