"""The convert page: choose a checkpoint, choose types, watch, chat; each step unfolds after the one above."""

from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QWidget

from app.actions.context import Pronk
from app.core.errors import AppError
from app.gui.convert.progress_step import ProgressStep
from app.gui.convert.source_step import SourceStep
from app.gui.convert.types import OFFERED, type_choices
from app.gui.convert.types_step import TypesStep
from app.gui.library_control import LibraryControl
from app.gui.tasks import Task, Tasks
from app.gui.widgets.column import page_column
from app.gui.widgets.labels import plain_label
from app.gui.widgets.notice import Notice

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
        self._look: Task | None = None
        self._job: Task | None = None
        self.source = SourceStep(self)
        self.types = TypesStep(self)
        self.progress = ProgressStep(self)
        self.notice = Notice(self)
        self._build()
        self.source.chosen.connect(self.look_at)
        self.types.started.connect(self.start)
        self.progress.cancelled.connect(self.cancel)
        self.progress.chat_asked.connect(self.chat_asked)
        self.progress.again_asked.connect(self.reset)
        self.reset()

    @property
    def busy(self) -> bool:
        """Whether a conversion runs."""
        return self._job is not None

    def reset(self) -> None:
        """Begin at step 1."""
        self._folder = ""
        self.source.setEnabled(True)
        self.source.show_text("")
        self.types.hide()
        self.progress.hide()
        self.notice.dismiss()

    def look_at(self, folder: str) -> None:
        """Find out by a dry run what the folder holds and what each type would take."""
        if self._look is not None:
            self._look.cancel()
        self._folder = folder
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
        self.notice.dismiss()
        self.source.setEnabled(False)
        self.types.fold(True)
        self.progress.begin(types)
        self.progress.show()
        self._job = self._tasks.run(
            lambda task: _convert(self._pronk, self._folder, types, task),
            done=self._on_done,
            failed=self._on_failed,
            event=self.progress.show_event,
            cancelled=self._on_cancelled,
            owner=self,
        )

    def cancel(self) -> None:
        """Stop the conversion; nothing half-made stays."""
        if self._job is not None:
            self.progress.show_cancelling()
            self._job.cancel()

    def _on_planned(self, folder: str, plan: Mapping[str, Any]) -> None:
        if folder != self._folder:
            return
        warnings = " ".join(plan.get("warnings") or ())
        self.source.show_text(
            self.tr("{0}: this can be converted. {1}")
            .format(plan.get("hf_class") or plan["architecture"], warnings)
            .strip()
        )
        self.types.fold(False)
        self.types.show_choices(type_choices(plan, self._library.view.devices))
        self.types.show()

    def _on_refused(self, folder: str, error: AppError) -> None:
        if folder == self._folder:
            self.source.show_text("")
            self.notice.show_error(error)

    def _on_done(self, result: Mapping[str, Any]) -> None:
        self._job = None
        self.source.setEnabled(True)
        self.progress.show_result(result)
        self._library.refresh()

    def _on_failed(self, error: AppError) -> None:
        self._end()
        self.notice.show_error(error, self.tr("Try again"), lambda: self.start(self.types.chosen))

    def _on_cancelled(self) -> None:
        self._end()
        self.notice.show_text(self.tr("The conversion was cancelled. Nothing was left behind."))

    def _end(self) -> None:
        self._job = None
        self.progress.hide()
        self.source.setEnabled(True)
        self.types.fold(False)

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
        for step in (self.source, self.types, self.progress):
            inner.addWidget(step)
        inner.addWidget(self.notice)
        inner.addStretch(1)


def _plan(pronk: Pronk, folder: str) -> dict[str, Any]:
    from app.actions.convert import convert_plan

    return convert_plan(pronk, folder, OFFERED)


def _convert(pronk: Pronk, folder: str, types: tuple[str, ...], task: Task) -> dict[str, Any]:
    from app.actions.convert import ConvertRequest, convert

    return convert(pronk, ConvertRequest(folder, types), task.emit, task.cancelled)
