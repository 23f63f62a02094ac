"""A stacked memory bar for each device of a plan."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from app.gui.plan.memory import parts_of
from app.gui.plan.words import device_name, device_total
from app.gui.widgets.labels import ElidedLabel, plain_label
from app.gui.widgets.memory_bar import MemoryBar

if TYPE_CHECKING:
    from app.devices.values import Devices
    from app.gui.plan.values import Reading
    from app.plan.values import DevicePlan, LoadPlan


class DeviceBars(QWidget):
    """GPUs first, main memory last; the widgets stay as long as the devices do."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._keys: list[tuple[str, str, str]] = []
        self._bars: list[MemoryBar] = []
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(16)

    @property
    def names(self) -> tuple[str, ...]:
        """What each bar shows, in words."""
        return tuple(bar.accessibleName() for bar in self._bars)

    def show_plan(self, plan: LoadPlan, devices: Devices | None, reading: Reading | None) -> None:
        """Show a plan's bytes, with what is free now."""
        shown = (*plan.devices, plan.host)
        keys = [_key(device, devices) for device in shown]
        if keys != self._keys:
            self._keys = keys
            self._rebuild()
        fits = plan.verdict != "too_big"
        for bar, device in zip(self._bars, shown, strict=True):
            bar.show_parts(parts_of(device, fits, reading), device.total_bytes)

    def _rebuild(self) -> None:
        while (item := self._layout.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()
        self._bars = [self._add(name, size) for _, name, size in self._keys]

    def _add(self, name: str, size: str) -> MemoryBar:
        device = QWidget()
        column = QVBoxLayout(device)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        head = QHBoxLayout()
        head.setSpacing(12)
        title = ElidedLabel(name)
        title.setProperty("kind", "strong")
        head.addWidget(title, 1)
        head.addWidget(plain_label(size, "muted"))
        bar = MemoryBar(name)
        column.addLayout(head)
        column.addWidget(bar)
        self._layout.addWidget(device)
        return bar


def _key(device: DevicePlan, devices: Devices | None) -> tuple[str, str, str]:
    return (device.id, device_name(device.id, devices), device_total(device.id, device.total_bytes, devices))
