"""Conversions that were stopped: go on with one, or throw away what is done."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QVBoxLayout, QWidget

from app.actions.context import Pronk
from app.gui.tasks import Tasks
from app.gui.widgets.buttons import push_button
from app.gui.widgets.labels import plain_label
from app.gui.widgets.notice import Notice

if TYPE_CHECKING:
    from app.actions.convert import ConvertRequest


class UnfinishedCard(QFrame):
    """Offers Continue and Discard for one stopped conversion."""

    def __init__(self, request: ConvertRequest, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("card")
        self.request = request
        self.text = self.tr("The conversion of {0} to {1} was stopped. What is done is kept.").format(
            Path(request.source).name, ", ".join(request.types)
        )
        self.setAccessibleName(self.text)
        self.discard_button = push_button(self.tr("Discard"), lambda: None)
        self.continue_button = push_button(self.tr("Continue"), lambda: None, "primary")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(16, 12, 16, 12)
        layout.setSpacing(8)
        layout.addWidget(plain_label(self.text, wrap=True), 1)
        layout.addWidget(self.discard_button)
        layout.addWidget(self.continue_button)


class Unfinished(QWidget):
    """A card for each stopped conversion; one that is discarded stays on the disk while that can be undone."""

    continued = Signal(object)

    def __init__(self, pronk: Pronk, tasks: Tasks, notice: Notice, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._pronk = pronk
        self._tasks = tasks
        self._notice = notice
        self._discarding: ConvertRequest | None = None
        self._wanted = True
        self.cards: list[UnfinishedCard] = []
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(8)
        self._show([])

    @property
    def requests(self) -> list[ConvertRequest]:
        """What is offered."""
        return [card.request for card in self.cards]

    def look(self, then: Callable[[], None] = lambda: None) -> None:
        """Find what was stopped and offer it; `then` is called when that is done."""
        self._wanted = True
        self._tasks.run(lambda _: _unfinished(self._pronk), done=lambda found: self._on_found(found, then), owner=self)

    def clear(self) -> ConvertRequest | None:
        """Offer nothing while a conversion runs; return what was being discarded and is the caller's to remove."""
        self._wanted = False
        discarded, self._discarding = self._discarding, None
        self._show([])
        return discarded

    def discard(self, request: ConvertRequest) -> None:
        """Remove what a conversion has left, unless the user thinks better of it."""
        self._notice.dismiss()
        self._discarding = request
        self._show([one for one in self.requests if one != request])
        self._notice.show_undo(
            self.tr("The unfinished conversion is discarded."), self._on_undone, lambda: self._remove(request)
        )

    def _on_found(self, requests: tuple[ConvertRequest, ...], then: Callable[[], None]) -> None:
        if self._wanted:
            self._show([request for request in requests if request != self._discarding])
            then()

    def _show(self, requests: list[ConvertRequest]) -> None:
        self.setVisible(bool(requests))
        if requests == self.requests:
            return
        for card in self.cards:
            card.hide()
            self._layout.removeWidget(card)
            card.deleteLater()
        self.cards = [UnfinishedCard(request) for request in requests]
        for card in self.cards:
            card.continue_button.clicked.connect(lambda _=False, request=card.request: self.continued.emit(request))
            card.discard_button.clicked.connect(lambda _=False, request=card.request: self.discard(request))
            self._layout.addWidget(card)
        self._order_for_keys()

    def _order_for_keys(self) -> None:
        """Let Tab meet the cards where they stand: what is made last would come last."""
        before: QWidget | None = self.previousInFocusChain()
        while before is not None and before.focusPolicy() == Qt.FocusPolicy.NoFocus and before is not self:
            before = before.previousInFocusChain()  # Qt orders only what takes keys
        for card in self.cards:
            for button in (card.discard_button, card.continue_button):
                if before is not None:
                    QWidget.setTabOrder(before, button)
                before = button

    def _on_undone(self) -> None:
        self._discarding = None
        self.look()

    def _remove(self, request: ConvertRequest) -> None:
        if self._discarding == request:
            self._discarding = None
            self._tasks.run(lambda _: _discard(self._pronk, request), failed=self._notice.show_error, owner=self)


def _unfinished(pronk: Pronk) -> tuple[ConvertRequest, ...]:
    from app.actions.convert import unfinished_conversions

    return unfinished_conversions(pronk)


def _discard(pronk: Pronk, request: ConvertRequest) -> None:
    from app.actions.convert import discard_conversion

    discard_conversion(pronk, request)
