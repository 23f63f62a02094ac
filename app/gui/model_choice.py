"""Which model answers: the one chosen last, the only one, or the one the user picks; its plan goes to the page."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from app.actions.load_choice import LoadChoice, keep_choice, read_choice
from app.actions.verdicts import JudgedModel
from app.core.errors import NotEnoughMemory
from app.core.settings import save_settings
from app.devices.values import Devices
from app.gui.chat.page import ChatPage
from app.gui.engine_control import EngineState
from app.gui.library_control import LibraryView
from app.gui.models.picker_row import settings_words, verdict_words
from app.gui.plan.control import PlanControl
from app.gui.plan.words import verdict_line
from app.gui.plan.world import PlanWorld

if TYPE_CHECKING:
    from app.actions.models import LibraryModel


class ModelChoice(QObject):
    """Joins library, engine and the conversation page's picker, verdict and details."""

    def __init__(self, world: PlanWorld, page: ChatPage, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._world = world
        self._pronk = world.pronk
        self._library = world.library
        self._engine = world.engine
        self._page = page
        self._wanted = ""
        self._chosen = ""
        self.plans = PlanControl(world, page.details.panel, self)
        self.plans.load_asked.connect(self.use_with)
        self._library.changed.connect(self._on_library)
        self._library.devices_found.connect(self._on_devices)
        self._library.failed.connect(page.notice.show_error)
        self._library.added.connect(self._on_added)
        self._engine.changed.connect(self._on_engine)
        self._engine.replanned.connect(self._on_replanned)
        self._engine.slowed.connect(self._on_slowed)
        page.header.picker.chosen.connect(self.use)
        page.header.load_cancelled.connect(self._engine.unload)

    def start(self, model: str = "") -> None:
        """List the models, find the devices, and load `model` (a name or a file), or the one used last."""
        if Path(model).suffix.lower() == ".gguf":
            self.use_file(model)
        else:
            self._wanted = model or self._pronk.settings().last_model
        self._library.refresh()
        self._library.find_devices()

    def use(self, judged: JudgedModel, force: bool = False) -> None:
        """Load a model of the library, as the user wants it loaded."""
        if judged.problem:
            return
        self._chosen = judged.path
        self._page.header.picker.set_current(judged.path)
        self._show_plan(judged)
        choice = read_choice(self._pronk, judged.path)
        self._engine.load(judged.model.name, judged.title, judged.path, force, choice.words)
        settings = self._pronk.settings()
        if settings.last_model != judged.path:
            save_settings(self._pronk.home.settings, replace(settings, last_model=judged.path))

    def use_with(self, judged: JudgedModel, choice: LoadChoice, force: bool = False) -> None:
        """Load a model with these wishes, now and from now on."""
        keep_choice(self._pronk, judged.path, choice)
        self.use(judged, force)
        self._library.refresh()

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
        if devices.notes:
            self._page.notice.show_text(devices.notes[0], " ".join(devices.notes[1:]))

    def _on_engine(self, state: EngineState) -> None:
        plan = self._world.loaded_plan() if state.kind == "ready" else None
        if plan is not None:
            words = self.tr("Loaded") if plan.verdict == "too_big" else verdict_line(plan)
            self._page.header.show_verdict(settings_words(words, bool(state.options)))
        self._page.header.picker.set_loaded(state.path if state.kind == "ready" else "")
        self._page.header.show_state(state)
        if state.kind == "failed":
            self._on_load_failed(state)

    def _on_replanned(self, reason: str) -> None:
        self._page.notice.show_text(
            reason or self.tr("There was less memory than planned: the model is loaded smaller.")
        )

    def _on_slowed(self) -> None:
        self._page.notice.show_text(
            self.tr(
                "The model writes less than half as fast as foretold: the graphics card's memory is probably full."
            ),
            self.tr("Keep more of it free, or choose a smaller context."),
            self.tr("How it fits"),
            self._page.header.show_details,
        )

    def _on_load_failed(self, state: EngineState) -> None:
        too_big = state.error_kind == NotEnoughMemory.kind
        words = self.tr("Load anyway") if too_big else self.tr("Try again")
        self._page.notice.show_text(
            state.reason,
            state.hint,
            words,
            lambda: self._engine.load(state.model, state.title, state.path, too_big, state.options),
            kind="danger",
        )

    def _show_plan(self, judged: JudgedModel) -> None:
        self.plans.target(judged)
        if self._engine.state.kind != "ready" or self._engine.state.path != judged.path:
            self._page.header.show_verdict(verdict_words(judged))
        self._page.header.show_state(self._engine.state)
