"""Step 2 of a conversion: the table of types, more of them when asked for, and whether the disk has room."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QVBoxLayout, QWidget

from app.core.units import format_size
from app.gui.convert.types import USUAL, quality_text
from app.gui.convert.types_table import TypesTable
from app.gui.widgets.buttons import push_button
from app.gui.widgets.labels import plain_label, set_kind

if TYPE_CHECKING:
    from app.actions.conversion_plan import ConversionPlan, ForetoldVerdict, PlannedFile

REASONS = 2
"""So many of the planner's sentences stand below the table; the tooltip has all."""


class TypesStep(QFrame):
    """Lets the user tick one type or more; what does not fit on the disk cannot be started."""

    started = Signal(tuple)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("card")
        self._plan: ConversionPlan | None = None
        self._files: tuple[PlannedFile, ...] = ()
        self._told: Mapping[str, ForetoldVerdict] = {}
        self._all = False
        self._head = plain_label(kind="strong", wrap=True)
        self.table = TypesTable()
        self.table.changed.connect(self._refresh)
        self.table.row_changed.connect(self._show_about)
        self.table.entered_return.connect(self._on_start)
        self._about = plain_label(kind="muted", wrap=True)
        self.more_button = push_button(self.tr("More types"), self._on_more, "link")
        self._room = plain_label(kind="muted", wrap=True)
        self._start = push_button(self.tr("Convert"), self._on_start, "primary")
        self._below = QWidget()
        self._build()
        self.fold(False)

    @property
    def chosen(self) -> tuple[str, ...]:
        """The types that are ticked, the smallest first."""
        return self.table.chosen

    @property
    def files(self) -> tuple[PlannedFile, ...]:
        """The rows of the table."""
        return self._files

    @property
    def can_start(self) -> bool:
        """Whether the choice can be converted."""
        return self._start.isEnabled()

    @property
    def room_text(self) -> str:
        """What is said of the disk."""
        return self._room.text()

    @property
    def about_text(self) -> str:
        """What is said of the row that the keyboard is on."""
        return self._about.text()

    def fold(self, folded: bool, types: tuple[str, ...] = ()) -> None:
        """Show only the types that were chosen, or the whole table."""
        self.table.setVisible(not folded)
        self._below.setVisible(not folded)
        names = ", ".join(types or self.chosen)
        self._head.setText(
            self.tr("2  Types: {0}").format(names) if folded else self.tr("2  Choose one type or several")
        )

    def show_plan(self, plan: ConversionPlan) -> None:
        """Fill the table and tick the recommended type."""
        self._set_plan(plan)
        self._told = {}
        self._all = False
        self.table.fill(self._files, plan.free_bytes)
        self._show_rows()
        self._refresh()

    def show_disk(self, plan: ConversionPlan) -> None:
        """Take newer figures of the disk for the same types."""
        self._set_plan(plan)
        self.table.show_disk(self._files, plan.free_bytes)
        self._refresh()

    def show_verdicts(self, verdicts: Mapping[str, ForetoldVerdict]) -> None:
        """Say how each type would run here."""
        self._told = verdicts
        self.table.show_verdicts(verdicts)
        self._show_about(self.table.currentIndex().row())

    def changeEvent(self, event: QEvent) -> None:
        """Take the colours of another theme."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and self._files:
            self.table.colour()

    def _set_plan(self, plan: ConversionPlan) -> None:
        self._plan = plan
        self._files = tuple(sorted(plan.files, key=lambda file: file.size_bytes))

    def _on_start(self) -> None:
        if self.can_start:
            self.started.emit(self.chosen)

    def _on_more(self) -> None:
        self._all = not self._all
        self._show_rows()

    def _show_rows(self) -> None:
        """Show the usual types and what is ticked, or all of them."""
        every = {file.type for file in self._files}
        few = every & {*USUAL, *self.chosen}
        self.table.show_only(every if self._all else few)
        words = self.tr("Fewer types") if self._all else self.tr("More types ({0})").format(len(every) - len(few))
        self.more_button.setVisible(every != few)
        self.more_button.setText(words)
        self.more_button.setAccessibleName(words)

    def _show_about(self, row: int) -> None:
        """Say of one row what its tooltips say, for those who come by keyboard."""
        if not 0 <= row < len(self._files):
            return
        name = self._files[row].type
        told = self._told.get(name)
        n_reasons = REASONS if told is not None and told.verdict != "too_big" else 1
        reasons = (told.reasons[:n_reasons] or (told.problem,)) if told is not None else ()
        self._about.setText(" ".join([self.tr("{0}: {1}.").format(name, quality_text(name)), *reasons]).strip())

    def _refresh(self) -> None:
        if self._plan is None:
            return
        chosen = self.chosen
        fits = self._plan.needed_bytes(chosen) <= self._plan.free_bytes
        self._room.setText(self._room_words(self._plan, chosen, fits))
        set_kind(self._room, "muted" if fits else "danger")
        self._start.setEnabled(bool(chosen) and fits)

    def _room_words(self, plan: ConversionPlan, chosen: tuple[str, ...], fits: bool) -> str:
        if not chosen:
            return self.tr("Tick at least one type.")
        free = format_size(plan.free_bytes)
        if not fits:
            return self.tr("{0} are needed, {1} are free on this disk. Choose fewer or smaller types.").format(
                format_size(plan.needed_bytes(chosen)), free
            )
        files = [file for file in self._files if file.type in chosen]
        total = format_size(sum(file.size_bytes for file in files))
        there = ", ".join(file.type for file in files if file.exists)
        words = self.tr("{0} will be written; {1} are free on this disk.").format(total, free)
        return f"{words} {self.tr('{0} is there already and will be replaced.').format(there)}" if there else words

    def _build(self) -> None:
        self.more_button.setStyleSheet("padding-left: 0;")  # its words stand under those above
        bottom = QHBoxLayout()
        bottom.setSpacing(16)
        bottom.addWidget(self._room, 1)
        bottom.addWidget(self._start)
        below = QVBoxLayout(self._below)
        below.setContentsMargins(0, 0, 0, 0)
        below.setSpacing(12)
        below.addWidget(self._about)
        below.addWidget(self.more_button, 0, Qt.AlignmentFlag.AlignLeft)
        below.addLayout(bottom)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 16, 16, 16)
        layout.setSpacing(12)
        layout.addWidget(self._head)
        layout.addWidget(self.table)
        layout.addWidget(self._below)
