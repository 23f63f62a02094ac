"""Widgets side by side where there is room, else one below the other."""

from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QBoxLayout, QHBoxLayout, QWidget

GAP_PX = 24
COLUMN_GAP_PX = 12


class FoldBox(QWidget):
    """Lays widgets out in a row from `wide_px` on, below that in a column."""

    def __init__(self, wide_px: int, gap_px: int = GAP_PX, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("plain")
        self._wide_px = wide_px
        self._gap_px = gap_px
        self._layout = QBoxLayout(QBoxLayout.Direction.TopToBottom, self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(min(gap_px, COLUMN_GAP_PX))

    @property
    def is_row(self) -> bool:
        """Whether the widgets stand side by side."""
        return self._layout.direction() == QBoxLayout.Direction.LeftToRight

    def add(self, widget: QWidget, stretch: int = 0) -> None:
        """Add a widget behind the others."""
        self._layout.addWidget(widget, stretch)

    def add_stretch(self) -> None:
        """Add room that takes what the widgets leave, in a row."""
        self._layout.addStretch(1)

    def clear(self) -> None:
        """Take all widgets away."""
        while (item := self._layout.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Fold or unfold for the new width."""
        super().resizeEvent(event)
        wide = self.width() >= self._wide_px
        direction = QBoxLayout.Direction.LeftToRight if wide else QBoxLayout.Direction.TopToBottom
        if direction != self._layout.direction():
            self._layout.setDirection(direction)
            self._layout.setSpacing(self._gap_px if wide else min(self._gap_px, COLUMN_GAP_PX))


def row_of(*widgets: QWidget, gap_px: int = 8) -> QWidget:
    """Return the widgets side by side, from the left, as one."""
    row = QWidget()
    row.setObjectName("plain")
    layout = QHBoxLayout(row)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(gap_px)
    for widget in widgets:
        layout.addWidget(widget)
    layout.addStretch(1)
    return row
