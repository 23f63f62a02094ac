"""Measuring this computer from the window, with a real child that speaks the benchmark's protocol."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from app.actions.context import Pronk
from app.core.paths import Home
from app.devices.values import Devices
from app.gui.engine_control import EngineControl
from app.gui.library_control import LibraryControl
from app.gui.measure.card import MeasureCard
from app.gui.measure.control import MeasureControl
from app.gui.measure.words import phase_words, result_rows, result_sentence, share_of
from app.gui.plan.world import PlanWorld
from app.gui.ports import Ports
from app.gui.tasks import Tasks
from app.gui.widgets.notice import Notice
from tests.support.fake_engine import fake_starter
from tests.support.fake_measuring import RESULT, fake_measuring
from tests.support.machines import machine

pytestmark = pytest.mark.gui
Make = Callable[[str], tuple[MeasureControl, MeasureCard, Notice, list[Devices]]]


@pytest.fixture
def make(qtbot: QtBot, home: Home, tasks: Tasks) -> Iterator[Make]:
    cards: list[MeasureCard] = []

    def make_(mode: str) -> tuple[MeasureControl, MeasureCard, Notice, list[Devices]]:
        pronk, found = Pronk(home), []

        def find(_: Pronk) -> Devices:
            found.append(machine(8))
            return found[-1]

        ports = Ports(fake_starter(), find, measure_computer=fake_measuring(mode))
        library, engine = LibraryControl(pronk, tasks, ports), EngineControl(pronk, tasks, ports)
        card, notice = MeasureCard(), Notice()
        control = MeasureControl(PlanWorld(pronk, tasks, ports, library, engine), card, notice)
        card.show()
        cards.append(card)
        return control, card, notice, found

    yield make_
    for card in cards:
        card.close()
        card.deleteLater()


def test_the_button_measures_and_tells_in_words(qtbot: QtBot, make: Make) -> None:
    control, card, _, found = make("normal")
    assert "about half a minute, longer while other programs are busy" in card.text
    qtbot.mouseClick(card.button, Qt.MouseButton.LeftButton)
    assert control.busy
    assert card.running
    assert not card.button.isVisible()
    qtbot.waitUntil(lambda: not control.busy, timeout=20_000)
    assert card.text.startswith("Measured in 19 s. Models run with 4 processor threads.")
    assert card.results.isVisible()
    qtbot.waitUntil(lambda: len(found) == 1)  # and the models are judged anew
    assert card.button.text() == "Measure again"


def test_cancel_ends_the_child(qtbot: QtBot, make: Make) -> None:
    control, card, _, found = make("hold")
    card.button.click()
    qtbot.waitUntil(lambda: card.doing == "Trying numbers of processor threads", timeout=20_000)
    qtbot.mouseClick(card.cancel_button, Qt.MouseButton.LeftButton)
    assert card.doing == "Stopping…"
    qtbot.waitUntil(lambda: not control.busy, timeout=20_000)
    assert not card.running
    assert "about half a minute, longer while other programs are busy" in card.text
    assert found == []


def test_a_failure_is_told_with_the_way_on(qtbot: QtBot, make: Make) -> None:
    control, card, notice, _ = make("fail")
    card.button.click()
    qtbot.waitUntil(lambda: not control.busy, timeout=20_000)
    assert notice.message == "The benchmark crashed."
    assert card.button.isVisible()
    notice.deleteLater()


def test_the_result_in_words() -> None:
    devices = machine(12, bandwidth_gb=38)
    sentence = result_sentence(RESULT)
    assert "1,024 tokens at a time. That is 1.25 times as fast as the usual settings." in sentence
    assert "Other programs" not in sentence
    busy = result_sentence({**RESULT, "others": 0.81, "gain": 53.76, "kept": False})
    assert busy == (
        "Measured in 19 s. Other programs took 81 % of the processor meanwhile: measure again when it is quiet."
    )
    assert "times as fast" not in result_sentence({**RESULT, "gain": 53.76})
    assert "one processor thread" in result_sentence({**RESULT, "n_threads": 1})
    rows = result_rows(RESULT, devices)
    assert rows[0] == ("Main memory is read at", "38.0 GB/s")
    assert rows[2] == ("Processor: 8 billion parameters in Q4_K", "reads 25, writes 4.4 tok/s")
    assert rows[5][0] == "NVIDIA GeForce RTX 3060: 8 billion parameters in Q4_K"
    assert len(rows) == 7


def test_progress_in_words() -> None:
    devices = replace(machine(12), simulated=True)
    assert share_of({"done": 3, "total": 4}) == 0.75
    assert share_of({"done_bytes": 1, "total_bytes": 2}) == 0.5
    assert share_of({}) == 0
    speed = {"phase": "speed", "device": "CUDA0", "type": "Q8_0"}
    assert phase_words(speed, devices) == "NVIDIA GeForce RTX 3060: weights stored as Q8_0"
    assert phase_words({"phase": "something new"}, devices) == "Measuring…"
