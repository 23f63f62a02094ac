"""A page's column: centred, at most so wide, scrolling when it is long."""

from PySide6.QtWidgets import QFrame, QHBoxLayout, QScrollArea, QVBoxLayout, QWidget

MARGIN_PX = 24
GAP_PX = 16


def page_column(page: QWidget, width_px: int) -> QVBoxLayout:
    """Fill `page` with a scrolling column of at most `width_px` and return its layout."""
    column = QWidget()
    column.setObjectName("plain")
    column.setMaximumWidth(width_px + 2 * MARGIN_PX)
    inner = QVBoxLayout(column)
    inner.setContentsMargins(MARGIN_PX, MARGIN_PX, MARGIN_PX, MARGIN_PX)
    inner.setSpacing(GAP_PX)
    holder = QWidget()
    holder.setObjectName("plain")
    centred = QHBoxLayout(holder)
    centred.setContentsMargins(0, 0, 0, 0)
    centred.addStretch(1)
    centred.addWidget(column, 1000)
    centred.addStretch(1)
    scroll = QScrollArea()
    scroll.setWidget(holder)
    scroll.setWidgetResizable(True)
    scroll.setFrameShape(QFrame.Shape.NoFrame)
    layout = QVBoxLayout(page)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.addWidget(scroll)
    return inner
