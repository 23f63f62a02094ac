"""The convert page: choose a checkpoint, choose types, watch, chat; each step unfolds after the one above."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QWidget

from app.actions.context import Pronk
from app.core.errors import AppError
from app.gui.convert.progress_step import ProgressStep
from app.gui.convert.show_in_folder import show_in_folder
from app.gui.convert.source_step import SourceStep
from app.gui.convert.types import OFFERED
from app.gui.convert.types_step import TypesStep
from app.gui.convert.unfinished import Unfinished
from app.gui.convert.words import dropped_words, source_words
from app.gui.library_control import LibraryControl
from app.gui.tasks import Task, Tasks
from app.gui.widgets.column import page_column
from app.gui.widgets.labels import plain_label
from app.gui.widgets.notice import Notice

if TYPE_CHECKING:
    from app.actions.conversion_plan import ConversionPlan, ForetoldVerdict
    from app.actions.convert import ConvertRequest
    from app.devices.values import Devices

COLUMN_PX = 760


class ConvertPage(QWidget):
    """Runs a dry run, then the conversion, each as a job of its own."""

    chat_asked = Signal(str)
    """The path of a file that was made."""

    def __init__(self, pronk: Pronk, tasks: Tasks, library: LibraryControl, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("page")
        self._pronk = pronk
        self._tasks = tasks
        self._library = library
        self._folder = ""
        self._plan: ConversionPlan | None = None
        self._request: ConvertRequest | None = None
        self._look: Task | None = None
        self._job: Task | None = None
        self.notice = Notice(self)
        self.unfinished = Unfinished(pronk, tasks, self.notice, self)
        self.source = SourceStep(self)
        self.types = TypesStep(self)
        self.progress = ProgressStep(self)
        self._build()
        self.unfinished.continued.connect(self.resume)
        self.source.chosen.connect(self.look_at)
        self.types.started.connect(self.start)
        self.progress.cancelled.connect(self.cancel)
        self.progress.chat_asked.connect(self.chat_asked)
        self.progress.folder_asked.connect(self._on_folder)
        self.progress.again_asked.connect(self.reset)
        library.devices_found.connect(self._judge)
        self.reset()

    @property
    def busy(self) -> bool:
        """Whether a conversion runs."""
        return self._job is not None

    @property
    def plan(self) -> ConversionPlan | None:
        """What the chosen folder can become, None until that is known."""
        return self._plan

    def reset(self) -> None:
        """Begin at step 1."""
        self._folder = ""
        self._plan = None
        self.source.setEnabled(True)
        self.source.show_folder("")
        self.types.hide()
        self.progress.hide()
        self.notice.dismiss()

    def look_at(self, folder: str) -> None:
        """Find out by a dry run what the folder holds and what each type would take."""
        if self._look is not None:
            self._look.cancel()
        self._folder = folder
        self._plan = None
        self.notice.dismiss()
        self.types.hide()
        self.progress.hide()
        self.source.show_folder(folder)
        self.source.show_text(self.tr("Reading the checkpoint's headers…"))
        self._look = self._tasks.run(
            lambda _: _plan(self._pronk, folder),
            done=lambda plan: self._on_planned(folder, plan),
            failed=lambda error: self._on_refused(folder, error),
            owner=self,
        )

    def start(self, types: tuple[str, ...]) -> None:
        """Convert to these types into the library."""
        if self._plan is not None:
            self._run(_request(self._plan, types))

    def resume(self, request: ConvertRequest) -> None:
        """Go on with a conversion that was stopped."""
        if self._look is not None:
            self._look.cancel()
        self._folder = request.source
        self._plan = None if self._plan is None or self._plan.source != request.source else self._plan
        self.source.show_folder(request.source)
        self._run(request)
        if self._plan is not None:
            self._show_source(self._plan)
        else:
            self._look_meanwhile(request.source)

    def cancel(self) -> None:
        """Stop the conversion; what is done is kept."""
        if self._job is not None:
            self.progress.show_cancelling()
            self._job.cancel()

    def showEvent(self, event: QShowEvent) -> None:
        """Offer to go on with conversions that were stopped."""
        super().showEvent(event)
        if not self.busy:
            self.unfinished.look()

    def _run(self, request: ConvertRequest) -> None:
        discarded = self.unfinished.clear()
        self.notice.dismiss()
        self._request = request
        self.source.setEnabled(False)
        self.types.fold(True, request.types)
        self.types.show()
        self.progress.begin(request.types)
        self.progress.show()
        self._take_focus(self.progress.cancel_button)
        self._job = self._tasks.run(
            lambda task: _convert(self._pronk, discarded, request, task),
            done=self._on_done,
            failed=self._on_failed,
            event=self.progress.show_event,
            cancelled=self._on_cancelled,
            owner=self,
        )

    def _on_planned(self, folder: str, plan: ConversionPlan) -> None:
        if folder != self._folder:
            return
        self._plan = plan
        self._show_source(plan)
        self.types.show_plan(plan)
        self.types.fold(False)
        self.types.show()
        self._take_focus(self.types.table)
        self._judge(self._library.view.devices)

    def _look_meanwhile(self, folder: str) -> None:
        """Find out what is converted while it is; whatever is wrong with it, the conversion itself will tell."""
        self._look = self._tasks.run(
            lambda _: _plan(self._pronk, folder),
            done=lambda plan: self._on_planned_late(folder, plan),
            failed=lambda _: None,
            owner=self,
        )

    def _on_planned_late(self, folder: str, plan: ConversionPlan) -> None:
        if folder != self._folder or self._plan is not None:
            return
        self._plan = plan
        self._show_source(plan)
        self.types.show_plan(plan)
        self.types.show()
        self._judge(self._library.view.devices)

    def _show_source(self, plan: ConversionPlan) -> None:
        about = source_words(plan.hf_class, plan.parameters, plan.source_files, plan.source_bytes)
        what = self.tr("Each chosen type is written in one read; the source stays untouched.")
        where = self.tr("Goes into {0}").format(plan.folder)
        self.source.show_text(f"{about}. {what}", where, dropped_words(plan.dropped), " ".join(plan.warnings))

    def _judge(self, devices: Devices | None) -> None:
        plan = self._plan
        if plan is not None and devices is not None:
            self._tasks.run(
                lambda _: _verdicts(plan, devices), done=lambda told: self._on_judged(plan, told), owner=self
            )

    def _on_judged(self, plan: ConversionPlan, told: Mapping[str, ForetoldVerdict]) -> None:
        if plan is self._plan:
            self.types.show_verdicts(told)

    def _on_refused(self, folder: str, error: AppError) -> None:
        if folder == self._folder:
            self.source.show_text("")
            self.notice.show_error(error)

    def _on_done(self, result: Mapping[str, Any]) -> None:
        self._job = None
        self.source.setEnabled(True)
        self.progress.show_result(result)
        self._take_focus(self.progress.chat_button)
        self._library.refresh()

    def _on_failed(self, error: AppError) -> None:
        request = self._request
        self._end()
        self.notice.show_error(error, self.tr("Try again"), lambda: self.resume(request) if request else None)

    def _on_cancelled(self) -> None:
        self._end(self._tell_cancelled)

    def _tell_cancelled(self) -> None:
        if self._request not in self.unfinished.requests:
            self.notice.show_text(self.tr("The conversion was cancelled. Nothing was left behind."))

    def _end(self, then: Callable[[], None] = lambda: None) -> None:
        self._job = None
        self.progress.hide()
        self.source.setEnabled(True)
        self.types.fold(False)
        self.types.setVisible(self._plan is not None)
        self.unfinished.look(then)
        if (plan := self._plan) is not None:
            self._tasks.run(lambda _: _with_disk_of_now(plan), done=lambda new: self._on_disk(plan, new), owner=self)

    def _on_disk(self, old: ConversionPlan, new: ConversionPlan) -> None:
        if self._plan is old:
            self._plan = new
            self.types.show_disk(new)

    def _on_folder(self, path: str) -> None:
        if not show_in_folder(Path(path)):
            self.notice.show_text(self.tr("The folder could not be opened: {0}").format(Path(path).parent))

    def _take_focus(self, widget: QWidget) -> None:
        """Move the keyboard on, unless it is elsewhere in the window."""
        focused = self.window().focusWidget()
        if focused is None or focused is self or self.isAncestorOf(focused):
            widget.setFocus(Qt.FocusReason.OtherFocusReason)

    def _build(self) -> None:
        inner = page_column(self, COLUMN_PX)
        inner.addWidget(plain_label(self.tr("Convert"), "title"))
        inner.addWidget(
            plain_label(
                self.tr(
                    "Make a GGUF model of a Hugging Face checkpoint. It is read once and written once, "
                    "on this computer."
                ),
                "muted",
                wrap=True,
            )
        )
        for step in (self.unfinished, self.source, self.types, self.progress):
            inner.addWidget(step)
        inner.addWidget(self.notice)
        inner.addStretch(1)


def _plan(pronk: Pronk, folder: str) -> ConversionPlan:
    from app.actions.conversion_plan import plan_conversion

    return plan_conversion(pronk, folder, OFFERED)


def _with_disk_of_now(plan: ConversionPlan) -> ConversionPlan:
    from app.actions.conversion_plan import with_disk_of_now

    return with_disk_of_now(plan)


def _verdicts(plan: ConversionPlan, devices: Devices) -> dict[str, ForetoldVerdict]:
    from app.actions.conversion_plan import foretell_verdicts

    return foretell_verdicts(plan, devices)


def _request(plan: ConversionPlan, types: tuple[str, ...]) -> ConvertRequest:
    from app.actions.convert import ConvertRequest

    return ConvertRequest(plan.source, types, files=plan.paths(types))


def _convert(pronk: Pronk, discarded: ConvertRequest | None, request: ConvertRequest, task: Task) -> dict[str, Any]:
    from app.actions.convert import convert, discard_conversion

    if discarded is not None:  # what the user has just thrown away is not gone on with
        discard_conversion(pronk, discarded)
    return convert(pronk, request, task.emit, task.cancelled)
