"""The details panel: what the loaded plan puts where, in bytes, and why."""

from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QGridLayout, QScrollArea, QVBoxLayout, QWidget

from app.core.units import format_size
from app.gui.widgets.labels import plain_label
from app.gui.widgets.memory_bar import MemoryBar, Part

WIDTH_PX = 340
FIGURES = ("n_gpu_layers", "n_layers_total", "context", "kv_type", "n_batch", "n_ubatch", "n_threads", "parallel")


class DetailsPanel(QFrame):
    """A plan (the contract's document) as bars, figures and sentences."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("details")
        self.setFixedWidth(WIDTH_PX)
        self.setAccessibleName(self.tr("Details"))
        self._scroll = QScrollArea()
        self._scroll.setWidgetResizable(True)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._scroll)
        self.headline = ""
        self._names: dict[str, str] = {}
        self.show_plan(None)

    @property
    def bars(self) -> tuple[str, ...]:
        """What each memory bar shows, in words."""
        return tuple(bar.accessibleName() for bar in self.findChildren(MemoryBar))

    def set_names(self, names: Mapping[str, str]) -> None:
        """Say what the devices are called: id to name."""
        self._names = dict(names)

    def show_plan(self, plan: Mapping[str, Any] | None, measured: bool = False) -> None:
        """Show a plan; `measured` when it is the one the engine loaded with."""
        content = QWidget()
        content.setObjectName("plain")
        column = QVBoxLayout(content)
        column.setContentsMargins(16, 16, 16, 16)
        column.setSpacing(8)
        column.addWidget(plain_label(self.tr("Details"), "subtitle"))
        if plan is None:
            column.addWidget(plain_label(self.tr("Choose a model to see how it uses memory."), "muted", wrap=True))
        else:
            self._fill(column, plan, measured)
        column.addStretch(1)
        self._scroll.setWidget(content)

    def _fill(self, column: QVBoxLayout, plan: Mapping[str, Any], measured: bool) -> None:
        self.headline = headline(plan, self._names)
        column.addWidget(plain_label(self.headline, wrap=True))
        source = self.tr("As loaded") if measured else self.tr("Expected")
        if plan.get("method") == "dry_run":
            source += self.tr(", sizes from llama.cpp itself")
        column.addWidget(plain_label(source, "muted", wrap=True))
        for device in (*plan.get("devices", ()), plan["host"]):
            self._add_device(column, device)
        self._add_figures(column, plan)
        reasons = plan.get("reasons") or ()
        if reasons:
            column.addSpacing(8)
            column.addWidget(plain_label(self.tr("Why"), "strong"))
            for reason in reasons:
                column.addWidget(plain_label(str(reason), "muted", wrap=True))

    def _add_device(self, column: QVBoxLayout, device: Mapping[str, Any]) -> None:
        name = str(device.get("id", ""))
        title = self.tr("Main memory") if name.upper() in ("CPU", "HOST", "") else self._names.get(name, name)
        column.addSpacing(8)
        size = format_size(int(device.get("total_bytes") or 0))
        column.addWidget(plain_label(f"{title} · {size}", "strong"))
        column.addWidget(MemoryBar(parts_of(device), int(device.get("total_bytes") or 0)))

    def _add_figures(self, column: QVBoxLayout, plan: Mapping[str, Any]) -> None:
        column.addSpacing(8)
        column.addWidget(plain_label(self.tr("Settings of llama.cpp"), "strong"))
        grid = QGridLayout()
        grid.setVerticalSpacing(4)
        grid.setColumnStretch(0, 1)
        for row, name in enumerate(name for name in FIGURES if name in plan):
            value = plan[name]
            grid.addWidget(plain_label(name, "muted"), row, 0)
            text = f"{value:,}" if isinstance(value, int) else str(value)
            grid.addWidget(plain_label(text, "muted"), row, 1, Qt.AlignmentFlag.AlignRight)
        column.addLayout(grid)


def headline(plan: Mapping[str, Any], names: Mapping[str, str]) -> str:
    """Return the plan in one line: "28 of 33 layers on RTX 3060 · 8,192 context · KV q8_0"."""
    layers, total = int(plan["n_gpu_layers"]), int(plan["n_layers_total"])
    used = [str(device["id"]) for device in plan.get("devices", ()) if device.get("weights_bytes")]
    cards = ", ".join(names.get(device, device) for device in used)
    where = f"{layers} of {total} layers on {cards}" if used else f"All {total} layers on the processor"
    return f"{where} · {int(plan['context']):,} context · KV {plan['kv_type']}"


def parts_of(device: Mapping[str, Any]) -> tuple[Part, ...]:
    """Return a device's memory in the order it is drawn; the free rest is left out."""
    sizes = {name: int(device.get(f"{name}_bytes") or 0) for name in ("weights", "kv", "compute", "reserve")}
    total, free = int(device.get("total_bytes") or 0), int(device.get("free_bytes") or 0)
    return (
        Part("weights", "Weights", sizes["weights"]),
        Part("kv", "Conversation (KV)", sizes["kv"]),
        Part("compute", "Working room", sizes["compute"]),
        Part("reserve", "Kept free", sizes["reserve"]),
        Part("other", "Other programs", max(0, total - free)),
    )
