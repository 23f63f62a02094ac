"""The newest of many questions: for what is asked anew whenever the user moves something."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject

from app.core.errors import AppError
from app.gui.tasks import Tasks

Work = Callable[[], Any]


class Newest(QObject):
    """Answers one question at a time on a pool thread; those asked meanwhile give way to the newest.

    `done` or `failed` hears of the newest question only, on the UI thread.
    """

    def __init__(
        self,
        tasks: Tasks,
        done: Callable[[Any], None],
        failed: Callable[[AppError], None],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._tasks = tasks
        self._done = done
        self._failed = failed
        self._turn = 0
        self._running = False
        self._waiting: Work | None = None

    @property
    def busy(self) -> bool:
        """Whether a question is under way."""
        return self._running

    def ask(self, work: Work) -> None:
        """Answer this question next, in the place of all before."""
        self.drop()
        self._waiting = work
        self._start()

    def drop(self) -> None:
        """Want no answer to what was asked so far."""
        self._turn += 1
        self._waiting = None

    def _start(self) -> None:
        work = self._waiting
        if work is None or self._running:
            return
        self._running, self._waiting = True, None
        turn = self._turn
        self._tasks.run(
            lambda _: work(),
            done=lambda answer: self._on_answer(turn, lambda: self._done(answer)),
            failed=lambda error: self._on_answer(turn, lambda: self._failed(error)),
            owner=self,
        )

    def _on_answer(self, turn: int, tell: Callable[[], None]) -> None:
        self._running = False
        if turn == self._turn:
            tell()
        self._start()
