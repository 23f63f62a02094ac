"""Plans one model as the user's wishes change: at once by formulas, then exactly by llama.cpp's dry run."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer, Signal

from app.actions.load_choice import AUTOMATIC, LoadChoice, keep_choice, read_choice
from app.actions.verdicts import JudgedModel
from app.core.errors import AppError
from app.gui.engine_control import EngineState
from app.gui.newest import Newest
from app.gui.plan.live import LiveMemory
from app.gui.plan.panel import PlanPanel
from app.gui.plan.values import PlanView, Reading, Source
from app.gui.plan.world import PlanWorld

if TYPE_CHECKING:
    from app.actions.context import Pronk
    from app.devices.values import Devices
    from app.library.facts import ModelFacts
    from app.plan.values import Learned, LoadPlan

SETTLE_MS = 80
"""The dry run is asked once the wishes have been the same for so long."""

SLOW_MS = 50
"""Plans by formulas that take longer (several GPUs, many experts) are made on a pool thread."""

OLD_BYTES = 10**8
"""A plan is made anew once so much more or less of a device is free: figures show tenths of a gigabyte."""


@dataclass(frozen=True)
class Known:
    """What a plan is made from."""

    path: str
    facts: ModelFacts
    devices: Devices
    learned: Learned


class PlanControl(QObject):
    """Joins one panel with planner and engine; works only while the panel is seen."""

    load_asked = Signal(object, object, bool)
    """A JudgedModel, the LoadChoice, and whether to load although it is too big."""

    def __init__(self, world: PlanWorld, panel: PlanPanel, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._world = world
        self._panel = panel
        self._judged: JudgedModel | None = None
        self._choice = AUTOMATIC
        self._known: Known | None = None
        self._plan_ms = 0.0
        self._reading: Reading | None = None
        self._engine_was = EngineState()
        self._kept = AUTOMATIC
        self.live = LiveMemory(world, self)
        self._quickly = Newest(world.tasks, self._on_quick, self._show_problem, self)
        self._exactly = Newest(world.tasks, self._on_exact, self._show_problem, self)
        self._settled = QTimer(self)
        self._settled.setSingleShot(True)
        self._settled.setInterval(SETTLE_MS)
        self._settled.timeout.connect(self._ask)
        self.live.read.connect(self._on_reading)
        panel.wished.connect(self.wish)
        panel.automatic_asked.connect(self._on_automatic)
        panel.load_asked.connect(self._on_load)
        panel.visibility_changed.connect(self._on_visibility)
        world.library.changed.connect(lambda _: self._look())
        world.engine.changed.connect(self._on_engine)

    @property
    def judged(self) -> JudgedModel | None:
        """The model that is planned."""
        return self._judged

    def target(self, judged: JudgedModel | None) -> None:
        """Plan this model, with the wishes kept for it."""
        same = judged is not None and self._judged is not None and judged.path == self._judged.path
        self._judged = judged
        if not same:
            self._known = None
            self._kept = self._choice = AUTOMATIC
            self._take_kept()
            self._panel.begin()
            self._look()

    def wish(self, choice: LoadChoice) -> None:
        """Plan with these wishes: by formulas at once."""
        self._choice = choice
        self._plan()

    def _look(self) -> None:
        """Read what is known of model and computer, then plan."""
        judged, devices = self._judged, self._world.library.view.devices
        if not self._panel.isVisible():
            self._known = None
        elif judged is None:
            self._panel.show_message(self.tr("Choose a model to see how it uses memory."))
        elif judged.problem:
            self._panel.show_message(judged.problem, "danger")
        elif devices is None:
            self._panel.show_message(self.tr("Looking at this computer…"))
        else:
            self._read(judged.path, devices)

    def _read(self, path: str, devices: Devices) -> None:
        if self._panel.view.plan is None:
            self._panel.show_message(self.tr("Reading the model's header…"))
        self._world.tasks.run(
            lambda _: _known(self._world.pronk, path, devices),
            done=lambda answer: self._on_known(*answer),
            failed=lambda error: self._on_unreadable(path, error),
            owner=self,
        )

    def _on_known(self, known: Known, plan_ms: float) -> None:
        self._plan_ms = plan_ms
        if self._judged is not None and known.path == self._judged.path:
            self._known = known
            self._plan()

    def _on_unreadable(self, path: str, error: AppError) -> None:
        if self._judged is not None and path == self._judged.path:
            self._panel.show_message(error.message, "danger")

    def _plan(self) -> None:
        """Show the plan by formulas and ask for the exact one; the engine's own plan where these are its wishes."""
        known = self._known
        if known is None:
            return
        self._settled.stop()
        self._quickly.drop()
        self._exactly.drop()
        loaded = self._loaded(known.path)
        if loaded is not None:
            self._show(known, loaded, "loaded")
            return
        known, choice = replace(known, devices=self._devices(known)), self._choice
        if self._plan_ms > SLOW_MS:
            self._quickly.ask(lambda: _quick(known, choice))
            return
        try:
            plan = _quick(known, choice)
        except AppError as error:
            self._show_problem(error)
        else:
            self._on_quick(plan)

    def _on_quick(self, plan: LoadPlan) -> None:
        if self._known is not None:
            self._plan_ms = plan.elapsed_ms
            self._show(self._known, plan, "asking")
            self._settled.start()

    def _ask(self) -> None:
        """Ask for the exact plan of these wishes."""
        if self._known is not None and self._panel.isVisible():
            known, choice = replace(self._known, devices=self._devices(self._known)), self._choice
            self._exactly.ask(lambda: _exact(self._world, known, choice))

    def _on_exact(self, answer: tuple[LoadPlan, Known]) -> None:
        """Show the exact plan; speeds that it measured count for the next ones by formula."""
        plan, taught = answer
        if self._known is not None and self._known.path == taught.path:
            self._known = replace(self._known, learned=taught.learned)
            self._show(self._known, plan, "exact" if plan.method == "dry_run" else "estimate")

    def _show(self, known: Known, plan: LoadPlan, source: Source) -> None:
        view = PlanView(self._choice, plan, source, known.devices, known.facts.context_length)
        if source == "loaded":
            state = self._world.engine.state
            view = replace(view, is_ready=state.kind == "ready", measured_bytes=state.measured_bytes)
        self._panel.show_view(view, loaded=source == "loaded")

    def _show_problem(self, error: AppError) -> None:
        view = self._panel.view
        if view.plan is None:
            self._panel.show_message(error.message, "danger")
        else:
            self._panel.show_view(replace(view, choice=self._choice, problem=error.message))

    def _loaded(self, path: str) -> LoadPlan | None:
        state = self._world.engine.state
        if state.path != path or state.options != self._choice.words:
            return None
        return self._world.loaded_plan()

    def _devices(self, known: Known) -> Devices:
        """Return the devices with what is free now, what Pronk's own engine holds counted as free."""
        reading, devices = self._reading, known.devices
        if reading is None or devices.simulated:
            return devices
        free = reading.gpu_free_bytes
        gpus = tuple(replace(gpu, free_bytes=free.get(gpu.id, gpu.free_bytes)) for gpu in devices.gpus)
        available = min(devices.memory.total_bytes, reading.available_bytes)
        return replace(devices, gpus=gpus, memory=replace(devices.memory, available_bytes=available))

    def _on_reading(self, reading: Reading) -> None:
        self._reading = reading
        self._panel.show_reading(reading)
        plan = self._panel.view.plan
        idle = not (self._settled.isActive() or self._quickly.busy or self._exactly.busy)
        known = self._known if self._panel.view.source in ("exact", "estimate") else None
        if idle and known is not None and plan is not None and _is_old(plan, self._devices(known)):
            self._ask()

    def _on_load(self, force: bool) -> None:
        if self._judged is not None:
            self.load_asked.emit(self._judged, self._choice, force)

    def _on_automatic(self) -> None:
        if self._judged is not None:
            keep_choice(self._world.pronk, self._judged.path, AUTOMATIC)
            self._world.library.refresh()
            self._kept = AUTOMATIC
            self._panel.context.slider.setFocus()
            self.wish(AUTOMATIC)

    def _take_kept(self) -> None:
        """Take the wishes that are kept for the model, if they changed since they were read last."""
        kept = AUTOMATIC if self._judged is None else read_choice(self._world.pronk, self._judged.path)
        if kept != self._kept:
            self._kept = self._choice = kept

    def _on_engine(self, state: EngineState) -> None:
        """Plan anew when the engine has begun, ended or changed its plan; percents are no reason."""
        was, self._engine_was = self._engine_was, state
        if was.path == state.path and was.kind == state.kind and was.plan is state.plan:
            return
        if self._panel.isVisible() and self._judged is not None and state.path == self._judged.path:
            self._take_kept()
            self._plan()

    def _on_visibility(self, visible: bool) -> None:
        if visible:
            self._take_kept()
            self.live.start()
            self._look()
        else:
            self.live.stop()
            self._settled.stop()
            self._reading = None


def _exact(world: PlanWorld, known: Known, choice: LoadChoice) -> tuple[LoadPlan, Known]:
    from app.actions.learned import what_was_learned

    plan = world.ports.plan_exactly(world.pronk, known.facts, known.devices, choice.request)
    return plan, replace(known, learned=what_was_learned(world.pronk, known.facts, known.devices))


def _is_old(plan: LoadPlan, devices: Devices) -> bool:
    """Return whether a device's free memory is no longer what the plan was made with."""
    free = {"CPU": devices.memory.available_bytes, **{gpu.id: gpu.free_bytes for gpu in devices.gpus}}
    planned = ((device.id, device.free_bytes) for device in (*plan.devices, plan.host))
    return any(abs(free.get(id_, size) - size) >= OLD_BYTES for id_, size in planned)


def _quick(known: Known, choice: LoadChoice) -> LoadPlan:
    from app.actions.plan import quick_plan  # heavy: the window opens without it

    return quick_plan(known.facts, known.devices, choice.request, known.learned)


def _known(pronk: Pronk, path: str, devices: Devices) -> tuple[Known, float]:
    """Return what is known of a model, and how long a plan by formulas takes, in milliseconds."""
    from app.actions.learned import what_was_learned
    from app.actions.models import inspect_model

    facts = inspect_model(pronk, path)
    known = Known(path, facts, devices, what_was_learned(pronk, facts, devices))
    return known, _quick(known, AUTOMATIC).elapsed_ms
