"""The line at the bottom: memory in use and what the engine is doing."""

from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import QTimer, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QWidget

from app.core.units import format_size
from app.gui.engine_control import EngineState
from app.gui.widgets.buttons import icon_button
from app.gui.widgets.labels import ElidedLabel, plain_label

EVERY_MS = 2000


class StatusBar(QFrame):
    """Shows main memory every two seconds, and the engine's state."""

    sidebar_asked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("statusBar")
        self.setFixedHeight(28)
        self._memory = plain_label()
        self._engine = ElidedLabel(self.tr("No model loaded"))
        self._timer = QTimer(self)
        self._timer.setInterval(EVERY_MS)
        self._timer.timeout.connect(self._on_tick)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(6, 0, 16, 0)
        layout.setSpacing(8)
        layout.addWidget(
            icon_button("list", self.tr("Show or hide the conversations (Ctrl+B)"), self.sidebar_asked.emit)
        )
        layout.addWidget(self._engine, 1)
        layout.addWidget(self._memory)

    def start(self) -> None:
        """Begin to measure."""
        self._on_tick()
        self._timer.start()

    def show_state(self, state: EngineState) -> None:
        """Say what the engine is doing."""
        words = {
            "off": self.tr("No model loaded"),
            "loading": self.tr("Loading {0}… {1} %").format(state.title, state.percent),
            "ready": self.tr("{0} is ready").format(state.title) + _on_gpus(state.plan),
            "restarting": self.tr("The engine stopped; starting it again…"),
            "failed": self.tr("{0} could not be loaded").format(state.title),
        }
        self._engine.setText(words[state.kind])

    def _on_tick(self) -> None:
        import psutil

        memory = psutil.virtual_memory()
        used = format_size(memory.total - memory.available)
        self._memory.setText(self.tr("Memory {0} of {1}").format(used, format_size(memory.total)))


def _on_gpus(plan: Mapping[str, Any] | None) -> str:
    """Return what the model takes on each GPU, by its plan: " · 6.1 of 12.6 GB on CUDA0"."""
    words = ""
    for device in (plan or {}).get("devices", ()):
        used = sum(int(device.get(f"{part}_bytes") or 0) for part in ("weights", "kv", "compute"))
        if used:
            words += f" · {format_size(used)} of {format_size(int(device['total_bytes']))} on {device['id']}"
    return words
