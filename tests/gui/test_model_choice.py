"""How the chosen model is loaded: with the wishes kept for it, and what is said when memory runs short."""

from collections.abc import Callable

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QPushButton
from pytestqt.qtbot import QtBot

from app.actions.context import Pronk
from app.actions.load_choice import AUTOMATIC, LoadChoice, keep_choice, read_choice
from app.core.paths import Home
from app.gui.models.picker_row import PickerRow
from app.gui.window import Window
from tests.support.fake_engine import LESS_MEMORY, PLAN
from tests.support.models import smollm2_gguf

pytestmark = pytest.mark.gui
OpenWindow = Callable[..., Window]


def test_less_memory_than_planned_is_told_quietly(qtbot: QtBot, open_window: OpenWindow) -> None:
    window = open_window("less-memory")
    assert window.chat.notice.message == LESS_MEMORY
    assert window.chat.notice.property("kind") != "danger"
    qtbot.waitUntil(lambda: "4,096 context" in window.chat.header.verdict)
    window.chat.header.toggle_details()
    panel = window.chat.details.panel
    qtbot.waitUntil(lambda: panel.view.source == "loaded")
    assert "4,096 context" in panel.placement


def test_a_card_that_is_full_is_told_with_the_way_on(qtbot: QtBot, open_window: OpenWindow) -> None:
    window = open_window("spilled")
    qtbot.waitUntil(lambda: "less than half as fast" in window.chat.notice.message)
    assert not window.chat.details.isVisible()
    next(one for one in window.chat.notice.findChildren(QPushButton) if one.text() == "How it fits").click()
    assert window.chat.details.isVisible()
    panel = window.chat.details.panel
    qtbot.waitUntil(lambda: panel.view.source == "loaded")
    assert panel.source.startswith("As loaded; 391 MB measured, as planned.")


def test_what_the_user_wished_for_is_how_it_is_loaded_next_time(
    qtbot: QtBot, open_window: OpenWindow, home: Home
) -> None:
    keep_choice(Pronk(home), smollm2_gguf(), LoadChoice(2048))
    window = open_window()
    assert window.engine.state.options == ("--context", "2048")
    assert "2,048 context" in window.library.view.models[0].sentence


def test_loading_from_a_models_card(qtbot: QtBot, open_window: OpenWindow, home: Home) -> None:
    window = open_window()
    window.show_page("models")
    row = window.models.rows[0]
    qtbot.keyClick(row.plan_button, Qt.Key.Key_Space)
    panel = window.models.panel
    qtbot.waitUntil(lambda: panel.view.plan is not None)
    assert panel.isVisible()
    assert row.isAncestorOf(panel)
    panel.context.slider.setValue(0)
    tokens = panel.context.value
    window.library.refresh()  # a look at the library keeps the card, the panel and the wish
    qtbot.waitUntil(lambda: not window.library.view.models[0].problem)
    assert (window.models.rows[0], panel.context.value) == (row, tokens)
    panel.load_button.click()
    qtbot.waitUntil(lambda: window.engine.state.options == ("--context", str(tokens)))
    qtbot.waitUntil(lambda: window.engine.state.kind == "ready", timeout=10_000)
    assert window.chat.isVisible()
    assert not panel.isVisible()
    assert not window.models.plans.live.running
    assert read_choice(Pronk(home), smollm2_gguf()) == LoadChoice(tokens)


def test_a_model_that_runs_is_not_called_too_big_and_wishes_are_seen(
    qtbot: QtBot, open_window: OpenWindow, home: Home
) -> None:
    keep_choice(Pronk(home), smollm2_gguf(), LoadChoice(reserve_bytes=16 * 10**9))  # all that DEVICES has
    window = open_window()
    row, picker = window.models.rows[0], window.chat.header.picker
    window.show_page("models")
    qtbot.waitUntil(lambda: row.verdict == "Loaded · with your settings")
    assert "Fits on your processor" in window.chat.header.verdict  # the plan that the engine told
    assert window.chat.header.verdict.endswith(" · with your settings")
    picker.open_list()
    assert picker.popup is not None
    (choice,) = picker.popup.findChildren(PickerRow)
    assert "Loaded" in choice.button.accessibleName()
    assert [button.text() for button in choice.findChildren(QPushButton)] == [""]  # no "Load anyway"
    picker.popup.close()
    window.engine.unload()
    qtbot.waitUntil(lambda: row.verdict.startswith("Too big for this computer"))
    assert row.verdict.endswith(" · with your settings")
    qtbot.mouseClick(row.automatic_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: row.verdict.startswith("Fits on your processor"))
    assert "with your settings" not in row.verdict
    assert not row.automatic_button.isVisible()
    assert read_choice(Pronk(home), smollm2_gguf()) == AUTOMATIC


def test_the_header_calls_what_runs_loaded(qtbot: QtBot, open_window: OpenWindow) -> None:
    window = open_window()
    engine = window.engine
    engine._on_event(engine._turn, {"event": "ready", "plan": {**PLAN, "verdict": "too_big"}})
    assert window.chat.header.verdict == "Loaded"
    window.chat.header.toggle_details()
    panel = window.chat.details.panel
    qtbot.waitUntil(lambda: panel.view.source == "loaded")
    assert panel.verdict == "Loaded"


def test_a_second_press_folds_the_card(qtbot: QtBot, open_window: OpenWindow) -> None:
    window = open_window()
    window.show_page("models")
    row = window.models.rows[0]
    row.plan_button.click()
    qtbot.waitUntil(window.models.panel.isVisible)
    row.plan_button.click()
    assert not window.models.panel.isVisible()
    assert window.models.plans.judged is None


def test_a_damaged_file_of_wishes_counts_as_none(home: Home) -> None:
    pronk = Pronk(home)
    keep_choice(pronk, "/m/一.gguf", LoadChoice(8192, 0))
    assert read_choice(pronk, "/m/一.gguf") == LoadChoice(8192, 0)
    assert read_choice(pronk, "/m/other.gguf") == AUTOMATIC
    keep_choice(pronk, "/m/一.gguf", AUTOMATIC)
    assert read_choice(pronk, "/m/一.gguf") == AUTOMATIC
    for text in ("[]", "{", '{"/m/一.gguf": {"context": 1, "reserve_bytes": "2"}}', '{"/m/一.gguf": 3}'):
        (home.root / "load-choices.json").write_text(text, encoding="utf-8")
        assert read_choice(pronk, "/m/一.gguf") == AUTOMATIC
