"""The plan panel on real plans for computers that are not here."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QAbstractSpinBox, QPushButton, QSlider, QToolButton, QWidget
from pytestqt.qtbot import QtBot

from app.actions.context import Pronk
from app.actions.load_choice import AUTOMATIC, LoadChoice, keep_choice, read_choice
from app.actions.models import add_model
from app.actions.plan import quick_plan
from app.core.paths import Home
from app.devices.values import Devices
from app.engine.supervisor import Engine
from app.gui.engine_control import EngineControl
from app.gui.library_control import LibraryControl
from app.gui.plan.control import PlanControl
from app.gui.plan.panel import PlanPanel
from app.gui.plan.values import PlanView
from app.gui.plan.world import PlanWorld
from app.gui.ports import Ports
from app.gui.tasks import Tasks
from app.library.facts import ModelFacts
from app.plan.planner import make_plan
from app.plan.values import LoadPlan, PlanRequest
from app.plan.words import verdict_sentence
from tests.support.facts import dense, experts
from tests.support.fake_engine import fake_starter
from tests.support.hollow import write_hollow
from tests.support.machines import machine

pytestmark = pytest.mark.gui
SMALL = dense(n_layers=16, embd=2048, ffn=8192)


class RecordingPanel(PlanPanel):
    """Remembers what it was told to show."""

    def __init__(self) -> None:
        super().__init__()
        self.shown: list[tuple[str, int]] = []

    def show_view(self, view: PlanView, loaded: bool = False) -> None:
        super().show_view(view, loaded)
        if view.plan is not None:
            self.shown.append((view.source, view.plan.context))


@dataclass
class Bench:
    """A panel with its control on a computer of the test's choice; dry runs wait for `gate`."""

    home: Home
    devices: Devices
    tasks: Tasks
    qtbot: QtBot
    gate: threading.Event = field(default_factory=threading.Event)
    asked: list[PlanRequest] = field(default_factory=list)
    probes: int = 0
    started: list[tuple[str, ...]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.pronk = Pronk(self.home)
        self.starter = fake_starter()
        ports = Ports(self._start, self._find, self._exactly, lambda: self.devices.memory)
        self.library = LibraryControl(self.pronk, self.tasks, ports)
        self.engine = EngineControl(self.pronk, self.tasks, ports)
        self.panel = RecordingPanel()
        self.control = PlanControl(PlanWorld(self.pronk, self.tasks, ports, self.library, self.engine), self.panel)

    def open(self, facts: ModelFacts) -> PlanPanel:
        add_model(self.pronk, write_hollow(facts, self.home.models / "a-model.gguf"))
        self.library.find_devices()
        self.qtbot.waitUntil(lambda: any(one.plan is not None for one in self.library.view.models))
        self.panel.resize(700, 900)
        self.panel.show()
        self.control.target(self.library.view.models[0])
        self.qtbot.waitUntil(lambda: self.panel.view.plan is not None)
        return self.panel

    def _find(self, pronk: Pronk) -> Devices:
        self.probes += 1
        return self.devices

    def _exactly(self, pronk: Pronk, facts: ModelFacts, devices: Devices, request: PlanRequest) -> LoadPlan:
        self.asked.append(request)
        assert self.gate.wait(10)
        return replace(make_plan(facts, devices, request), method="dry_run")

    def _start(self, pronk: Pronk, path: Path, options: Any, on_event: Any) -> Engine:
        self.started.append(tuple(options))
        return self.starter(pronk, path, options, on_event)


@pytest.fixture
def bench(qtbot: QtBot, home: Home, tasks: Tasks) -> Iterator[Callable[..., Bench]]:
    made: list[Bench] = []

    def make(devices: Devices) -> Bench:
        made.append(Bench(home, devices, tasks, qtbot))
        return made[-1]

    yield make
    for one in made:
        one.gate.set()
        one.panel.close()
        one.panel.deleteLater()
        one.engine.close()
        one.pronk.close()


def expected(one: Bench, choice: LoadChoice) -> str:
    known = one.control._known
    assert known is not None
    return verdict_sentence(quick_plan(known.facts, one.devices, choice.request, known.learned))


def test_a_slider_re_plans_in_the_same_turn_and_the_newest_value_alone_is_asked(
    qtbot: QtBot, bench: Callable[..., Bench]
) -> None:
    one = bench(machine(8))
    panel = one.open(dense())
    qtbot.waitUntil(lambda: len(one.asked) == 1)  # the dry run of the automatic plan hangs at the gate
    before, at = panel.verdict, panel.context.slider.value()
    for position in (0, 1, 2, 3):
        one.control._plan_ms = 0.0  # quick, however busy this machine is
        panel.context.slider.setValue(position)
        tokens = panel.context.steps[position]
        assert panel.verdict == expected(one, LoadChoice(tokens))  # no event loop in between
        assert f"{tokens:,} context" in panel.verdict
        assert panel.source.startswith("Estimate; asking llama.cpp")
    assert (panel.verdict, panel.context.slider.value()) != (before, at)
    one.gate.set()
    qtbot.waitUntil(lambda: panel.view.source == "exact")
    assert [request.context for request in one.asked] == [None, panel.context.steps[3]]
    assert panel.source.startswith("Exact: ")
    assert panel.view.plan is not None
    assert panel.view.plan.context == panel.context.steps[3]


def test_an_answer_to_older_wishes_is_dropped(qtbot: QtBot, bench: Callable[..., Bench]) -> None:
    one = bench(machine(8))
    panel = one.open(dense())
    qtbot.waitUntil(lambda: len(one.asked) == 1)
    one.panel.shown.clear()
    panel.context.field.setValue(6000)
    assert panel.context.value == 6144  # a multiple of 256, as llama.cpp makes it
    one.gate.set()
    qtbot.waitUntil(lambda: panel.view.source == "exact")
    assert one.panel.shown == [("asking", 6144), ("exact", 6144)]
    assert panel.view.choice == LoadChoice(6144)


def test_plans_that_take_long_are_made_aside_and_wishes_add_up(qtbot: QtBot, bench: Callable[..., Bench]) -> None:
    one = bench(machine(8))
    panel = one.open(dense())
    one.gate.set()
    one.control._plan_ms = 1000.0  # as with four cards
    before = panel.verdict
    panel.context.field.setValue(6144)
    panel.context.field.setValue(12288)
    panel.reserve.field.setValue(1.0)
    assert panel.verdict == before
    qtbot.waitUntil(lambda: panel.view.source == "exact" and panel.view.choice == LoadChoice(12288, 10**9))
    assert "12,288 context" in panel.verdict


def test_the_reserve_takes_layers_from_the_card(bench: Callable[..., Bench]) -> None:
    one = bench(machine(8))
    panel = one.open(dense())
    assert panel.reserve.value == 448 * 2**20
    panel.context.field.setValue(16384)
    whole = panel.view.plan
    panel.reserve.slider.setValue(panel.reserve.slider.maximum())
    kept = panel.view.plan
    assert whole is not None
    assert kept is not None
    assert kept.devices[0].reserve_bytes == panel.reserve.value == 4_000_000_000
    assert kept.n_gpu_layers < whole.n_gpu_layers
    assert "Kept free 4.0 GB" in panel.bars.names[0]


def test_an_alternative_sets_the_slider(bench: Callable[..., Bench]) -> None:
    one = bench(machine(6, ram_gb=32))
    panel = one.open(dense())
    button = panel.alternatives.buttons[0]
    assert " context at " in button.text()
    button.click()
    assert panel.view.choice.context is not None
    assert f"{panel.view.choice.context:,} context" in button.text()
    assert panel.context.value == panel.view.choice.context


@pytest.mark.parametrize(
    ("facts", "devices", "verdict", "n_bars", "placement"),
    [
        (SMALL, machine(ram_gb=16), "Fits on your processor", 1, "All 17 layers on the processor"),
        (experts(), machine(8), "Runs partly on your GPU", 2, "layers on RTX 3060"),
        (dense(64, 5120, 27648, 40), machine(16, 16), "Runs fully on your GPUs", 3, "65 of 65 layers on 2 GPUs"),
        (dense(80, 8192, 28672, 64), machine(12, ram_gb=16), "Too big for this computer", 2, ""),
    ],
)
def test_each_device_has_its_bar(
    bench: Callable[..., Bench], facts: ModelFacts, devices: Devices, verdict: str, n_bars: int, placement: str
) -> None:
    panel = bench(devices).open(facts)
    assert panel.verdict.startswith(verdict)
    assert placement in panel.placement
    assert len(panel.bars.names) == n_bars
    assert panel.bars.names[-1].startswith("Main memory: Weights ")
    assert panel.reasons.texts
    assert all("n_gpu" not in text for text in (panel.verdict, panel.placement, panel.source, *panel.reasons.texts))
    assert ("Missing" in " ".join(panel.bars.names)) == verdict.startswith("Too big")


def test_the_wishes_are_loaded_and_kept(qtbot: QtBot, bench: Callable[..., Bench]) -> None:
    one = bench(machine(8))
    panel = one.open(dense())
    wishes: list[Any] = []
    one.control.load_asked.connect(lambda *wish: wishes.append(wish))
    panel.context.field.setValue(8192)
    panel.reserve.field.setValue(1.5)
    panel.load_button.click()
    judged, choice, force = wishes[0]
    assert (choice, force) == (LoadChoice(8192, 1_500_000_000), False)
    assert choice.words == ("--context", "8192", "--reserve", "1500000000")
    keep_choice(one.pronk, judged.path, choice)
    one.engine.load(judged.model.name, judged.title, judged.path, options=choice.words)
    qtbot.waitUntil(lambda: one.engine.state.kind == "ready")
    assert one.started == [choice.words]
    assert panel.view.source == "loaded"
    assert not panel.load_button.isEnabled()
    panel.automatic_button.click()
    assert read_choice(one.pronk, judged.path) == AUTOMATIC == panel.view.choice
    assert panel.load_button.isEnabled()


def test_too_big_can_be_loaded_anyway(bench: Callable[..., Bench]) -> None:
    one = bench(machine(12, ram_gb=16))
    panel = one.open(dense(80, 8192, 28672, 64))
    wishes: list[Any] = []
    one.control.load_asked.connect(lambda *wish: wishes.append(wish))
    assert panel.load_button.text() == "Load anyway"
    panel.load_button.click()
    assert wishes[0][1:] == (AUTOMATIC, True)


def test_memory_is_read_while_the_panel_is_seen_and_no_longer(qtbot: QtBot, bench: Callable[..., Bench]) -> None:
    one = bench(machine(8))
    one.gate.set()
    panel = one.open(SMALL)
    qtbot.waitUntil(lambda: one.probes == 2)  # one for the window, one for the bars
    assert one.control.live.running
    qtbot.waitUntil(lambda: panel.view.source == "exact")
    used = one.devices.memory.total_bytes - 20 * 10**9
    one.devices = replace(one.devices, memory=replace(one.devices.memory, available_bytes=20 * 10**9))
    one.control.live.tick()
    qtbot.waitUntil(lambda: f"Other programs {used / 10**9:.1f} GB" in panel.bars.names[-1])
    assert " in use − " in panel.reasons.texts[-1]  # of the same moment
    assert panel.view.source == "exact"
    assert one.probes == 2  # the drivers are left alone for 5 s
    panel.hide()
    assert not one.control.live.running
    assert one.control._known is None or not one.control._settled.isActive()
    panel.show()
    assert one.control.live.running


def test_the_reasons_of_a_loaded_model_are_told_as_of_its_loading(qtbot: QtBot, bench: Callable[..., Bench]) -> None:
    one = bench(machine(ram_gb=16))
    panel = one.open(SMALL)
    assert "When it was loaded:" not in panel.reasons.texts
    judged = one.control.judged
    assert judged is not None
    one.engine.load(judged.model.name, judged.title, judged.path)
    qtbot.waitUntil(lambda: panel.view.is_ready)
    assert panel.reasons.texts[0] == "When it was loaded:"
    one.devices = replace(one.devices, memory=replace(one.devices.memory, available_bytes=10**9))
    before = panel.bars.names
    one.control.live.tick()
    assert panel.bars.names != before  # what others hold is told as it is now


def test_more_than_there_is_becomes_the_most_for_all_to_see(qtbot: QtBot, bench: Callable[..., Bench]) -> None:
    panel = bench(machine(ram_gb=24)).open(SMALL)
    field = panel.reserve.field
    for _ in range(2):
        field.setFocus()
        field.selectAll()
        qtbot.keyClicks(field, "999")
        qtbot.keyClick(field, Qt.Key.Key_Return)
        assert panel.view.plan is not None
        assert field.text() == f"{panel.view.plan.host.total_bytes / 10**9:.2f} GB"
        assert panel.view.choice.reserve_bytes == panel.reserve.value == panel.view.plan.host.total_bytes


def test_the_keyboard_reaches_everything_and_everything_has_a_name(qtbot: QtBot, bench: Callable[..., Bench]) -> None:
    panel = bench(machine(6, ram_gb=32)).open(dense())
    qtbot.waitExposed(panel)
    panel.context.slider.setFocus()
    before = panel.context.value
    qtbot.keyClick(panel.context.slider, Qt.Key.Key_Right)
    assert panel.context.value > before
    assert panel.context.slider.accessibleDescription() == panel.context.field.text()
    kinds = (QSlider, QAbstractSpinBox, QPushButton, QToolButton)
    controls = [widget for kind in kinds for widget in panel.findChildren(kind) if widget.isVisible()]
    assert all(widget.accessibleName() for widget in controls)
    chain = tab_chain(panel.context.field, len(controls))
    assert chain[:4] == [panel.context.field, panel.context.slider, panel.reserve.field, panel.reserve.slider]
    assert {widget for widget in controls if widget.isEnabled()} == set(chain)


def tab_chain(first: QWidget, at_most: int) -> list[QWidget]:
    chain, widget = [first], first.nextInFocusChain()
    while widget is not first and len(chain) <= at_most:
        reachable = widget.focusPolicy() & Qt.FocusPolicy.TabFocus
        if reachable and widget.isVisible() and widget.isEnabled() and widget.focusProxy() is None:
            chain.append(widget)
        widget = widget.nextInFocusChain()
    return chain
