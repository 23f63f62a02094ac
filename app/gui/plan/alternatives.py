"""Other plans worth choosing, as buttons."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from app.gui.plan.words import alternative_words, verdict_line
from app.gui.widgets.buttons import push_button
from app.gui.widgets.fold_box import FoldBox
from app.gui.widgets.labels import plain_label, plain_tooltip

if TYPE_CHECKING:
    from PySide6.QtWidgets import QPushButton

    from app.plan.values import LoadPlan

WIDE_PX = 520


class Alternatives(QWidget):
    """One button for each plan, hidden when there is none; `chosen` carries its context."""

    chosen = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.buttons: list[QPushButton] = []
        self._shown: list[tuple[str, int]] = []
        self._box = FoldBox(WIDE_PX, 8)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(plain_label(self.tr("Instead"), "strong"))
        layout.addWidget(self._box)
        self.hide()

    def show_plans(self, plans: Sequence[LoadPlan]) -> None:
        """Offer these plans; buttons that stay the same keep the keyboard."""
        shown = [(alternative_words(plan), plan.context) for plan in plans]
        if shown != self._shown:
            self._shown = shown
            self._box.clear()
            self.buttons = [self._button(words, plan) for (words, _), plan in zip(shown, plans, strict=True)]
            for button in self.buttons:
                self._box.add(button)
            self._box.add_stretch()
        self.setVisible(bool(plans))

    def _button(self, words: str, plan: LoadPlan) -> QPushButton:
        button = push_button(words, lambda: self.chosen.emit(plan.context))
        verdict = verdict_line(plan)
        button.setToolTip(plain_tooltip(verdict))
        button.setAccessibleDescription(verdict)
        return button
