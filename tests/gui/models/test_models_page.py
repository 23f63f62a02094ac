"""The models page and the picker."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QPushButton, QScrollArea, QWidget
from pytestqt.qtbot import QtBot

from app.actions.context import Pronk
from app.actions.models import add_model
from app.core.paths import Home
from app.gui.models.page import focus_chain
from app.gui.models.picker_row import PickerRow
from app.gui.window import Window
from tests.support.models import gemma3_gguf

pytestmark = pytest.mark.gui
OpenWindow = Callable[..., Window]


def test_remove_can_be_undone(qtbot: QtBot, open_window: OpenWindow) -> None:
    window = open_window()
    window.show_page("models")
    qtbot.waitUntil(lambda: len(window.models.rows) == 1)
    window.models.rows[0].remove_asked.emit()
    qtbot.waitUntil(lambda: window.models.rows == [])
    undo = next(button for button in window.models.notice.findChildren(QPushButton) if button.text() == "Undo")
    qtbot.mouseClick(undo, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: len(window.models.rows) == 1)


def test_tab_goes_from_card_to_card_and_through_the_unfolded_plan(qtbot: QtBot, open_window: OpenWindow) -> None:
    window = open_window()
    page = window.models
    window.show_page("models")
    qtbot.waitUntil(lambda: len(page.rows) == 1)
    row = page.rows[0]
    last = row.buttons()[-1]
    assert page.measure.isAncestorOf(focus_chain(page)[focus_chain(page).index(last) + 1])
    row.plan_button.click()
    qtbot.waitUntil(lambda: page.panel.isVisible())
    stops = focus_chain(page)
    at = [stops.index(button) for button in row.buttons()]
    assert at == sorted(at)
    assert page.panel.isAncestorOf(stops[at[-1] + 1])
    assert page.measure.isAncestorOf(stops[-1])


def test_a_broken_file_is_refused_in_words(qtbot: QtBot, open_window: OpenWindow, tmp_path: Path) -> None:
    window = open_window(ready=False)
    bad = tmp_path / "half.gguf"
    bad.write_bytes(b"GGUF\x03\x00")
    window.show_page("models")
    window.library.add(bad)
    qtbot.waitUntil(lambda: window.models.notice.isVisible())
    assert "half.gguf" in window.models.notice.message


def test_the_picker_tells_each_models_verdict(qtbot: QtBot, open_window: OpenWindow) -> None:
    window = open_window()
    picker = window.chat.header.picker
    qtbot.waitUntil(lambda: "processor" in window.chat.header.verdict)
    assert picker.text() == "SmolLM2-135M-Instruct · Q4_1"
    picker.open_list()
    assert picker.popup is not None
    rows = picker.popup.findChildren(PickerRow)
    assert len(rows) == 1
    assert "Fits on your processor" in rows[0].button.accessibleName()
    qtbot.keyClick(rows[0].button, Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: picker.popup is None)


def focused(window: Window) -> QWidget:
    popup = window.chat.header.picker.popup
    assert popup is not None
    widget = popup.focusWidget()
    assert widget is not None
    return widget


def test_the_picker_by_keyboard(qtbot: QtBot, open_window: OpenWindow) -> None:
    window = open_window()
    picker = window.chat.header.picker
    judged = window.library.view.models[0]
    models = [replace(judged, model=replace(judged.model, path=Path(f"/m/{n}.gguf"))) for n in range(12)]
    picker.show_models([*models, judged])
    seen: list[str] = []
    picker.chosen.disconnect()
    picker.list_opened.disconnect()
    picker.chosen.connect(lambda judged, _: seen.append(judged.path))
    qtbot.keyClick(picker, Qt.Key.Key_Return)
    rows = picker.popup.findChildren(PickerRow) if picker.popup is not None else []
    assert focused(window) is rows[12].button  # the one in use
    assert not rows[12].visibleRegion().isEmpty()
    for _ in range(20):
        qtbot.keyClick(focused(window), Qt.Key.Key_Up)
    assert focused(window) is rows[0].button
    assert not rows[0].visibleRegion().isEmpty()
    qtbot.keyClick(focused(window), Qt.Key.Key_Down)
    qtbot.keyClick(focused(window), Qt.Key.Key_Return)
    assert seen == [str(models[1].model.path)]
    qtbot.waitUntil(lambda: picker.popup is None)
    qtbot.keyClick(picker, Qt.Key.Key_Space)
    qtbot.keyClick(focused(window), Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: picker.popup is None)
    assert len(seen) == 1


def test_a_model_added_outside_is_seen_in_the_open_picker(qtbot: QtBot, open_window: OpenWindow, home: Home) -> None:
    window = open_window()
    picker = window.chat.header.picker
    add_model(Pronk(home), gemma3_gguf())
    picker.open_list()
    qtbot.waitUntil(lambda: picker.popup is not None and len(picker.popup.findChildren(PickerRow)) == 2)
    assert "SmolLM2" in focused(window).accessibleName()
    qtbot.keyClick(focused(window), Qt.Key.Key_Escape)


def test_details_show_the_plan_in_bytes(qtbot: QtBot, open_window: OpenWindow) -> None:
    window = open_window()
    window.chat.header.toggle_details()
    assert window.chat.details.isVisible()
    panel = window.chat.details.panel
    qtbot.waitUntil(lambda: panel.view.source == "loaded")
    assert panel.placement == "All 31 layers on the processor · 8,192 context · KV f16"
    assert any("Weights 98.0 MB" in name for name in panel.bars.names)


def test_the_page_fits_beside_the_sidebar_in_the_smallest_window(qtbot: QtBot, open_window: OpenWindow) -> None:
    window = open_window()
    window.resize(640, 480)
    window.sidebar.show()
    window.models.measure.show_result("Measured in 19 s.", [("Processor: 8 billion parameters in Q4_K", "reads 25")])
    for name in ("models", "chat"):
        window.show_page(name)
        qtbot.waitUntil(lambda: window.sidebar.isVisible())
    window.show_page("models")
    window.models.rows[0].plan_button.click()
    qtbot.waitUntil(lambda: window.models.panel.view.plan is not None)
    (scroll,) = window.models.findChildren(QScrollArea)
    qtbot.waitUntil(lambda: scroll.horizontalScrollBar().maximum() == 0)
    assert window.width() == 640


def test_details_of_another_model_begin_at_the_top(qtbot: QtBot, open_window: OpenWindow) -> None:
    window = open_window()
    window.resize(1180, 480)
    window.chat.header.toggle_details()
    panel = window.chat.details.panel
    (scroll,) = window.chat.details.findChildren(QScrollArea)
    bar = scroll.verticalScrollBar()
    qtbot.waitUntil(lambda: panel.view.plan is not None and bar.maximum() > 0)
    assert bar.isEnabled()
    bar.setValue(bar.maximum())
    judged = window.library.view.models[0]
    window.choice.plans.target(replace(judged, model=replace(judged.model, path=gemma3_gguf())))
    qtbot.waitUntil(lambda: panel.view.plan is not None)
    assert bar.value() == 0
    window.choice.plans.target(None)
    qtbot.waitUntil(lambda: not bar.isEnabled())  # nothing to scroll, no bar
