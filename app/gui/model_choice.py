"""Which model answers: the one chosen last, the only one, or the one the user picks; its plan goes to the page."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject

from app.actions.context import Pronk
from app.actions.verdicts import JudgedModel
from app.core.errors import NotEnoughMemory
from app.core.settings import save_settings
from app.devices.values import Devices
from app.gui.chat.page import ChatPage
from app.gui.engine_control import EngineControl, EngineState
from app.gui.library_control import LibraryControl, LibraryView

if TYPE_CHECKING:
    from app.actions.models import LibraryModel


class ModelChoice(QObject):
    """Joins library, engine and the conversation page's picker, verdict and details."""

    def __init__(
        self,
        pronk: Pronk,
        library: LibraryControl,
        engine: EngineControl,
        page: ChatPage,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._pronk = pronk
        self._library = library
        self._engine = engine
        self._page = page
        self._wanted = ""
        self._chosen = ""
        library.changed.connect(self._on_library)
        library.devices_found.connect(self._on_devices)
        library.failed.connect(page.notice.show_error)
        library.added.connect(self._on_added)
        engine.changed.connect(self._on_engine)
        page.header.picker.chosen.connect(self.use)
        page.header.load_cancelled.connect(engine.unload)

    def start(self, model: str = "") -> None:
        """List the models, find the devices, and load `model` (a name or a file), or the one used last."""
        if Path(model).suffix.lower() == ".gguf":
            self.use_file(model)
        else:
            self._wanted = model or self._pronk.settings().last_model
        self._library.refresh()
        self._library.find_devices()

    def use(self, judged: JudgedModel, force: bool = False) -> None:
        """Load a model of the library."""
        if judged.problem:
            return
        self._chosen = judged.path
        self._page.header.picker.set_current(judged.path)
        self._show_plan(judged)
        self._engine.load(judged.model.name, judged.title, judged.path, force)
        settings = self._pronk.settings()
        if settings.last_model != judged.path:
            save_settings(self._pronk.home.settings, replace(settings, last_model=judged.path))

    def use_file(self, path: str) -> None:
        """Put a file into the library, if it is not there, and load it."""
        known = self._library.named(path)
        if known is not None:
            self.use(known)
        else:
            self._wanted = str(Path(path).absolute())
            self._library.add(Path(path))

    def _on_library(self, view: LibraryView) -> None:
        self._page.header.picker.show_models(view.models)
        self._page.empty.show_model(bool(view.models))
        usable = [judged for judged in view.models if not judged.problem]
        wanted = self._library.named(self._wanted) if self._wanted else None
        if wanted is not None and not wanted.problem:
            self._wanted = ""
            self.use(wanted)
        elif not self._chosen and len(usable) == 1:
            self.use(usable[0])
        current = self._library.named(self._chosen)
        if current is not None:
            self._show_plan(current)

    def _on_added(self, model: LibraryModel) -> None:
        if not self._chosen and not self._wanted:
            self._wanted = str(model.path)

    def _on_devices(self, devices: Devices) -> None:
        self._page.details.set_names({gpu.id: gpu.name for gpu in devices.gpus})
        if devices.notes:
            self._page.notice.show_text(devices.notes[0], " ".join(devices.notes[1:]))

    def _on_engine(self, state: EngineState) -> None:
        self._page.header.show_state(state)
        if state.kind == "failed":
            self._on_load_failed(state)
        if state.plan is not None:
            self._page.details.show_plan(state.plan, measured=state.kind == "ready")

    def _on_load_failed(self, state: EngineState) -> None:
        too_big = state.error_kind == NotEnoughMemory.kind
        words = self.tr("Load anyway") if too_big else self.tr("Try again")
        self._page.notice.show_text(
            state.reason,
            state.hint,
            words,
            lambda: self._engine.load(state.model, state.title, state.path, force=too_big),
            kind="danger",
        )

    def _show_plan(self, judged: JudgedModel) -> None:
        self._page.header.show_verdict(judged.sentence)
        self._page.header.show_state(self._engine.state)
        if judged.plan is not None and self._engine.state.plan is None:
            self._page.details.show_plan(_document(judged))


def _document(judged: JudgedModel) -> dict[str, Any]:
    from app.plan.json import plan_document

    assert judged.plan is not None
    return plan_document(judged.plan)
