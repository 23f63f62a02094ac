"""The models page and the picker."""

from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QPushButton
from pytestqt.qtbot import QtBot

from app.gui.models.picker_row import PickerRow
from app.gui.window import Window

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


def test_details_show_the_plan_in_bytes(qtbot: QtBot, open_window: OpenWindow) -> None:
    window = open_window()
    window.chat.header.toggle_details()
    assert window.chat.details.isVisible()
    assert "All 31 layers on the processor" in window.chat.details.headline
    assert any("Weights 98.0 MB" in name for name in window.chat.details.bars)
