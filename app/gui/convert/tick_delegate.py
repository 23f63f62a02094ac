"""Draws a table's tick boxes in the window's own style: the system's are hard to see on dark."""

from PySide6.QtCore import QAbstractItemModel, QEvent, QModelIndex, QPersistentModelIndex, QRect, QSize, Qt
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPen
from PySide6.QtWidgets import QStyledItemDelegate, QStyleOptionViewItem

from app.gui.icons import icon
from app.gui.theme import current_theme

BOX_PX = 18
SIDE_PX = 10
GAP_PX = 8
Index = QModelIndex | QPersistentModelIndex


class TickDelegate(QStyledItemDelegate):
    """A box and the text; a click anywhere in the row is the table's to take, Space ticks."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Draw one cell."""
        theme = current_theme()
        rect: QRect = option.rect
        box = QRect(rect.left() + SIDE_PX, rect.center().y() - BOX_PX // 2 + 1, BOX_PX, BOX_PX)
        ticked = Qt.CheckState(index.data(Qt.ItemDataRole.CheckStateRole)) == Qt.CheckState.Checked
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(QColor(theme.accent if ticked else theme.muted), 1.5))
        painter.setBrush(QColor(theme.accent if ticked else theme.surface))
        painter.drawRoundedRect(box, 4, 4)
        if ticked:
            icon("check-bold", "on_accent").paint(painter, box.adjusted(3, 3, -3, -3))
        painter.setPen(QColor(theme.text))
        painter.setFont(option.font)
        text = rect.adjusted(SIDE_PX + BOX_PX + GAP_PX, 0, 0, 0)
        painter.drawText(text, Qt.AlignmentFlag.AlignVCenter, str(index.data()))
        painter.restore()

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        """Return the room for box and text."""
        size = super().sizeHint(option, index)
        width = option.fontMetrics.horizontalAdvance(str(index.data())) + 2 * SIDE_PX + BOX_PX + GAP_PX
        return QSize(width, size.height())

    def editorEvent(self, event: QEvent, model: QAbstractItemModel, option: QStyleOptionViewItem, index: Index) -> bool:
        """Leave clicks to the table, which ticks by row."""
        if isinstance(event, QMouseEvent):
            return False
        return super().editorEvent(event, model, option, index)
