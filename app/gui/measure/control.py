"""Runs the measuring of this computer as a job, and has the models judged anew by what it found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import QObject

from app.core.errors import AppError
from app.gui.measure.card import MeasureCard
from app.gui.measure.words import phase_words, result_rows, result_sentence, share_of
from app.gui.plan.world import PlanWorld
from app.gui.tasks import Task
from app.gui.widgets.notice import Notice


class MeasureControl(QObject):
    """Joins the card with the job."""

    def __init__(self, world: PlanWorld, card: MeasureCard, notice: Notice, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._world = world
        self._card = card
        self._notice = notice
        self._job: Task | None = None
        card.asked.connect(self.start)
        card.cancelled.connect(self.cancel)

    @property
    def busy(self) -> bool:
        """Whether it measures."""
        return self._job is not None

    def start(self) -> None:
        """Measure, unless that is under way."""
        if self._job is not None:
            return
        self._notice.clear_error()
        self._card.show_running()
        ports, pronk = self._world.ports, self._world.pronk
        self._job = self._world.tasks.run(
            lambda task: ports.measure_computer(pronk, task.emit, task.cancelled),
            done=self._on_done,
            failed=self._on_failed,
            event=self._on_event,
            cancelled=self._on_cancelled,
            owner=self,
        )

    def cancel(self) -> None:
        """Stop measuring; what was known before stays."""
        if self._job is not None:
            self._card.show_cancelling()
            self._job.cancel()

    def _on_event(self, event: Mapping[str, Any]) -> None:
        if event.get("event") == "progress":
            self._card.show_progress(share_of(event), phase_words(event, self._world.library.view.devices))

    def _on_done(self, result: Mapping[str, Any]) -> None:
        self._job = None
        self._card.show_result(result_sentence(result), result_rows(result, self._world.library.view.devices))
        self._world.library.find_devices()  # memory's speed is a device's; the models are judged after it

    def _on_failed(self, error: AppError) -> None:
        self._job = None
        self._card.show_idle()
        self._notice.show_error(error, self.tr("Try again"), self.start)

    def _on_cancelled(self) -> None:
        self._job = None
        self._card.show_idle()
