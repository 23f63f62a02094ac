"""The pane beside the conversation: how the model that answers fits in memory."""

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QScrollArea, QVBoxLayout, QWidget

from app.gui.plan.panel import PlanPanel
from app.gui.widgets.labels import plain_label

WIDTH_PX = 340
QWIDGETSIZE_MAX = (1 << 24) - 1
"""Qt's word for no limit; PySide6 does not name it."""


class DetailsPane(QFrame):
    """A plan panel with a title, scrolling."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("details")
        self.set_wide(False)
        self.setAccessibleName(self.tr("How it fits"))
        self.panel = PlanPanel()
        content = QWidget()
        content.setObjectName("plain")
        column = QVBoxLayout(content)
        column.setContentsMargins(16, 16, 16, 16)
        column.setSpacing(12)
        column.addWidget(plain_label(self.tr("How it fits"), "subtitle"))
        column.addWidget(self.panel)
        column.addStretch(1)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOn)
        scroll.setWidget(content)
        self._scroll = scroll
        scroll.verticalScrollBar().rangeChanged.connect(self._show_bar)
        self._show_bar(0, 0)
        self.panel.begun.connect(self._to_top)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(scroll)

    def _show_bar(self, least: int, most: int) -> None:
        """Show the scroll bar only where there is something to scroll; its room is kept, so no line wraps anew."""
        self._scroll.verticalScrollBar().setEnabled(most > least)

    def _to_top(self) -> None:
        self._scroll.verticalScrollBar().setValue(0)

    def set_wide(self, wide: bool) -> None:
        """Take the whole page, or the width of a pane."""
        self.setMinimumWidth(0 if wide else WIDTH_PX)
        self.setMaximumWidth(QWIDGETSIZE_MAX if wide else WIDTH_PX)
