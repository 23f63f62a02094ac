"""The conversations by day: open, rename in place (F2, double click), delete (Del); both are in the context menu."""

import time
from collections.abc import Sequence
from datetime import date, datetime, timedelta

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, QSize, Qt, Signal
from PySide6.QtGui import QColor, QContextMenuEvent, QFont, QKeyEvent, QPainter, QPen, QStandardItem, QStandardItemModel
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFrame,
    QListView,
    QMenu,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from app.chat.values import Conversation
from app.gui.safe_text import one_line
from app.gui.theme import current_theme

ID_ROLE = int(Qt.ItemDataRole.UserRole) + 1
ROW_PX = 34
HEAD_PX = 30
Index = QModelIndex | QPersistentModelIndex


class ConversationList(QListView):
    """Shows titles under "Today", "Yesterday" and so on; the last used stands first."""

    opened = Signal(int)
    renamed = Signal(int, str)
    delete_asked = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._conversations: tuple[Conversation, ...] = ()
        self._filter = ""
        self._current: int | None = None
        self._filling = False
        self._model = QStandardItemModel(self)
        self._model.itemChanged.connect(self._on_item_changed)
        self.setModel(self._model)
        self.setItemDelegate(_Delegate(self))
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setMouseTracking(True)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setEditTriggers(QAbstractItemView.EditTrigger.DoubleClicked | QAbstractItemView.EditTrigger.EditKeyPressed)
        self.setAccessibleName(self.tr("Conversations"))
        self.clicked.connect(self._on_activated)

    def show_conversations(self, conversations: Sequence[Conversation]) -> None:
        """Show these, the last used first."""
        self._conversations = tuple(conversations)
        if self.state() != QAbstractItemView.State.EditingState:
            self._fill()

    def set_filter(self, text: str) -> None:
        """Show only titles that hold `text`."""
        self._filter = text.strip().casefold()
        self._fill()

    def set_current(self, conversation_id: int | None) -> None:
        """Mark the conversation on the page."""
        self._current = conversation_id
        self._select_current()

    @property
    def titles(self) -> tuple[str, ...]:
        """The titles shown, without the days."""
        rows = (self._model.item(row) for row in range(self._model.rowCount()))
        return tuple(item.text() for item in rows if item.data(ID_ROLE) is not None)

    def rename_current(self) -> None:
        """Begin to rename the marked conversation."""
        if self.currentIndex().data(ID_ROLE) is not None:
            self.edit(self.currentIndex())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Enter opens, Del deletes."""
        conversation_id = self.currentIndex().data(ID_ROLE)
        if conversation_id is not None and event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self.delete_asked.emit(conversation_id)
        elif conversation_id is not None and event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.opened.emit(conversation_id)
        else:
            super().keyPressEvent(event)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """Offer what F2 and Del do, for the row under the mouse or the marked one."""
        by_mouse = event.reason() == QContextMenuEvent.Reason.Mouse
        index = self.indexAt(event.pos()) if by_mouse else self.currentIndex()
        if index.data(ID_ROLE) is not None:
            self.menu_of(index).popup(event.globalPos())

    def menu_of(self, index: QModelIndex) -> QMenu:
        """Return the context menu of a row; it goes when it is closed."""
        row, conversation_id = QPersistentModelIndex(index), index.data(ID_ROLE)
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.addAction(self.tr("Rename") + "\tF2").triggered.connect(lambda: self._rename(row))
        menu.addAction(self.tr("Delete") + "\tDel").triggered.connect(lambda: self.delete_asked.emit(conversation_id))
        return menu

    def _rename(self, row: QPersistentModelIndex) -> None:
        index = self._model.index(row.row(), 0)
        if row.isValid():
            self.setCurrentIndex(index)
            self.edit(index)

    def _fill(self) -> None:
        self._filling = True
        self._model.clear()
        day = ""
        for conversation in self._conversations:
            if self._filter and self._filter not in conversation.title.casefold():
                continue
            if (name := self._day(conversation.updated_at)) != day:
                day = name
                self._model.appendRow(_head(day))
            item = QStandardItem(one_line(conversation.title) or self.tr("New chat"))
            item.setData(conversation.id, ID_ROLE)
            self._model.appendRow(item)
        self._filling = False
        self._select_current()

    def _select_current(self) -> None:
        for row in range(self._model.rowCount()):
            if self._current is not None and self._model.item(row).data(ID_ROLE) == self._current:
                self.setCurrentIndex(self._model.index(row, 0))
                return
        self.setCurrentIndex(QModelIndex())

    def _on_activated(self, index: QModelIndex) -> None:
        conversation_id = index.data(ID_ROLE)
        if conversation_id is not None:
            self.opened.emit(conversation_id)

    def _on_item_changed(self, item: QStandardItem) -> None:
        conversation_id, title = item.data(ID_ROLE), item.text().strip()
        if not self._filling and conversation_id is not None and title:
            self.renamed.emit(conversation_id, title)

    def _day(self, at_s: float) -> str:
        then, today = datetime.fromtimestamp(at_s).date(), date.fromtimestamp(time.time())
        if then >= today:
            return self.tr("Today")
        if then == today - timedelta(days=1):
            return self.tr("Yesterday")
        if then > today - timedelta(days=7):
            return self.tr("This week")
        return then.strftime("%Y-%m") if then.year != today.year else then.strftime("%B")


def _head(text: str) -> QStandardItem:
    item = QStandardItem(text)
    item.setFlags(Qt.ItemFlag.NoItemFlags)
    return item


class _Delegate(QStyledItemDelegate):
    """Draws a title as a rounded row, a day as a small line."""

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        """Return the row's height."""
        return QSize(0, HEAD_PX if index.data(ID_ROLE) is None else ROW_PX)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Draw one row."""
        theme = current_theme()
        rect: QRect = option.rect
        state = option.state
        font = QFont(option.font)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if index.data(ID_ROLE) is None:
            font.setPixelSize(12)
            self._text(painter, rect.adjusted(8, 8, -8, 0), font, theme.muted, str(index.data()))
        else:
            selected = bool(state & QStyle.StateFlag.State_Selected)
            hovered = bool(state & QStyle.StateFlag.State_MouseOver)
            if selected or hovered:
                painter.setBrush(QColor(theme.selected if selected else theme.hover))
                focused = selected and bool(state & QStyle.StateFlag.State_HasFocus)
                painter.setPen(QPen(QColor(theme.accent), 2) if focused else Qt.PenStyle.NoPen)
                painter.drawRoundedRect(rect.adjusted(1, 1, -1, -1), 8, 8)
            self._text(painter, rect.adjusted(8, 0, -8, 0), font, theme.text, str(index.data()))
        painter.restore()

    def createEditor(self, parent: QWidget, option: QStyleOptionViewItem, index: Index) -> QWidget:
        """Edit the title in place."""
        editor = super().createEditor(parent, option, index)
        editor.setAccessibleName(self.tr("Title"))
        return editor

    def _text(self, painter: QPainter, rect: QRect, font: QFont, colour: str, text: str) -> None:
        painter.setFont(font)
        painter.setPen(QColor(colour))
        shown = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, rect.width())
        painter.drawText(rect, Qt.AlignmentFlag.AlignVCenter, shown)
