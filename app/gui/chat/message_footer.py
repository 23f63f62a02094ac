"""What can be done with a message: copy, again, edit, its alternatives; and its figures."""

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QWidget

from app.gui.widgets.buttons import copy_button, icon_button
from app.gui.widgets.labels import plain_label


class MessageFooter(QWidget):
    """A row of small buttons below a message."""

    copy_asked = Signal()
    regenerate_asked = Signal()
    edit_asked = Signal()
    sibling_asked = Signal(int)

    def __init__(self, role: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._sibling_ids: tuple[int, ...] = ()
        self._index = 0
        self._before = icon_button("caret-left", self.tr("Earlier version"), lambda: self._step(-1))
        self._place = plain_label(kind="muted")
        self._after = icon_button("caret-right", self.tr("Later version"), lambda: self._step(1))
        self._stats = plain_label(kind="muted")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(copy_button(self.tr("Copy"), self.copy_asked.emit))
        if role == "assistant":
            layout.addWidget(icon_button("arrow-clockwise", self.tr("Answer again"), self.regenerate_asked.emit))
        else:
            layout.addWidget(icon_button("pencil-simple", self.tr("Edit"), self.edit_asked.emit))
        for widget in (self._before, self._place, self._after):
            layout.addWidget(widget)
            widget.hide()
        if role == "assistant":
            layout.addStretch(1)
            layout.addWidget(self._stats)

    def set_siblings(self, own_id: int, sibling_ids: tuple[int, ...]) -> None:
        """Show ‹2/3› when there is more than one version."""
        self._sibling_ids = sibling_ids
        self._index = sibling_ids.index(own_id) if own_id in sibling_ids else 0
        several = len(sibling_ids) > 1
        for widget in (self._before, self._place, self._after):
            widget.setVisible(several)
        self._place.setText(f"{self._index + 1}/{len(sibling_ids)}")
        self._before.setEnabled(self._index > 0)
        self._after.setEnabled(self._index < len(sibling_ids) - 1)

    @property
    def stats(self) -> str:
        """The figures shown."""
        return self._stats.text()

    @property
    def place(self) -> str:
        """Which version this is, "2/3"; empty while there is one."""
        return self._place.text() if len(self._sibling_ids) > 1 else ""

    def set_stats(self, text: str) -> None:
        """Show speed and times."""
        self._stats.setText(text)

    def _step(self, by: int) -> None:
        index = self._index + by
        if 0 <= index < len(self._sibling_ids):
            self.sibling_asked.emit(self._sibling_ids[index])
