"""A run of paragraphs, or one table: read-only, selectable, as high as its text, and unable to load anything."""

import math
from typing import Any

from PySide6.QtCore import QEvent, QPointF, QRectF, Qt, QUrl, Signal
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QTextBlock, QTextCursor, QTextDocument, QWheelEvent
from PySide6.QtWidgets import QFrame, QSizePolicy, QTextBrowser, QWidget

from app.gui.markdown.pieces import Paragraph, Rule, Table
from app.gui.markdown.writer import MARKER, QUOTE_LEVEL, QUOTE_STEP_PX, RULE, write_paragraph, write_rule, write_table
from app.gui.theme import current_theme

MARKER_GAP_PX = 8
NOTHING = b""
"""What every resource is: Qt's own loader, asked after a null answer, would open local files."""


class _Document(QTextDocument):
    def loadResource(self, kind: int, name: QUrl | str) -> Any:
        """Load nothing, whatever is asked for."""
        return NOTHING


class TextView(QTextBrowser):
    """Shows text pieces; grows with them, leaves scrolling to the page."""

    link_clicked = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        document = _Document(self)
        document.setDocumentMargin(0)
        document.setUndoRedoEnabled(False)
        document.setDefaultFont(self.font())
        self.setDocument(document)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setOpenLinks(False)
        self.setSearchPaths([])
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.setTabChangesFocus(True)
        self.viewport().setAutoFillBackground(False)
        self.anchorClicked.connect(
            lambda url: self.link_clicked.emit(url.toString(QUrl.ComponentFormattingOption.FullyEncoded))
        )
        document.documentLayout().documentSizeChanged.connect(self._fit)
        self.setAccessibleName(self.tr("Message text"))

    def append_piece(self, piece: Paragraph | Rule | Table) -> int:
        """Write a piece at the end; return the position to truncate() at when it changes."""
        cursor = self._end()
        position = cursor.position()
        cursor.beginEditBlock()
        if isinstance(piece, Paragraph):
            write_paragraph(cursor, piece, first=self.document().isEmpty() and position == 0)
        elif isinstance(piece, Rule):
            write_rule(cursor, piece, first=position == 0)
        else:
            write_table(cursor, piece)
            _flatten_first_block(self.document())
        cursor.endEditBlock()
        return position

    def truncate(self, position: int) -> None:
        """Remove everything from `position` on."""
        if position == 0:
            self.document().clear()
            return
        cursor = QTextCursor(self.document())
        cursor.setPosition(position)
        cursor.movePosition(QTextCursor.MoveOperation.End, QTextCursor.MoveMode.KeepAnchor)
        cursor.removeSelectedText()

    def write_plain(self, text: str) -> None:
        """Show text as it is."""
        self.document().setPlainText(text)

    def loadResource(self, kind: int, name: QUrl | str) -> Any:
        """Load nothing, whatever is asked for."""
        return NOTHING

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Leave scrolling to the page."""
        event.ignore()

    def changeEvent(self, event: QEvent) -> None:
        """Follow the font."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange:
            self.document().setDefaultFont(self.font())

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw what stands beside the text: quote bars, list markers, lines."""
        painter = QPainter(self.viewport())
        layout = self.document().documentLayout()
        block = self.document().begin()
        while block.isValid():
            rect = layout.blockBoundingRect(block)
            if rect.top() > event.rect().bottom():
                break
            _paint_extras(painter, block, rect, self.width())
            block = block.next()
        painter.end()
        super().paintEvent(event)

    def _end(self) -> QTextCursor:
        cursor = QTextCursor(self.document())
        cursor.movePosition(QTextCursor.MoveOperation.End)
        return cursor

    def _fit(self) -> None:
        self.setFixedHeight(math.ceil(self.document().size().height()))


def _paint_extras(painter: QPainter, block: QTextBlock, rect: QRectF, width_px: int) -> None:
    form = block.blockFormat()
    theme = current_theme()
    for step in range(form.intProperty(QUOTE_LEVEL)):
        painter.fillRect(QRectF(step * QUOTE_STEP_PX, rect.top(), 3, rect.height()), QColor(theme.border))
    if form.boolProperty(RULE):
        painter.fillRect(QRectF(0, rect.center().y(), width_px, 1), QColor(theme.border))
    marker = form.stringProperty(MARKER)
    if marker and block.layout().lineCount():
        line = block.layout().lineAt(0)
        right = form.leftMargin() - MARKER_GAP_PX
        painter.setPen(QColor(theme.muted))
        baseline = block.layout().position().y() + line.y() + line.ascent()
        painter.drawText(QPointF(right - painter.fontMetrics().horizontalAdvance(marker), baseline), marker)


def _flatten_first_block(document: QTextDocument) -> None:
    """Take away the height of the empty lines that Qt keeps around a table."""
    for block in (document.firstBlock(), document.lastBlock()):
        if block.length() <= 1:
            form = block.blockFormat()
            form.setLineHeight(1, 2)  # QTextBlockFormat.FixedHeight
            QTextCursor(block).setBlockFormat(form)
