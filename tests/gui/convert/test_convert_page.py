"""The convert page with the real converter on a tiny checkpoint."""

from collections.abc import Callable
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from app.core.paths import Home
from app.gui.convert.progress_step import best_path, pace
from app.gui.convert.types import type_choices
from app.gui.window import Window
from tests.support.checkpoints import tiny_checkpoint
from tests.support.ui_pause import DEVICES

pytestmark = pytest.mark.gui
OpenWindow = Callable[..., Window]


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return tiny_checkpoint(tmp_path / "模型 tiny")


@pytest.mark.native
def test_a_folder_becomes_a_model_in_the_picker(qtbot: QtBot, open_window: OpenWindow, checkpoint: Path) -> None:
    window = open_window(with_model=False, ready=False)
    page = window.convert
    window.show_page("convert")
    page.look_at(str(checkpoint))
    qtbot.waitUntil(lambda: page.types.isVisible(), timeout=30_000)
    assert "LlamaForCausalLM" in page.source.text
    assert page.types.chosen == ("Q4_K_M",)
    page.types.tick("Q4_K_M", False)
    page.types.tick("Q8_0", True)
    predicted = next(choice.size_bytes for choice in page.types.choices if choice.name == "Q8_0")
    page.types.started.emit(page.types.chosen)
    qtbot.waitUntil(lambda: page.progress.result_path != "", timeout=60_000)
    made = Path(page.progress.result_path)
    assert made.stat().st_size == predicted
    qtbot.waitUntil(lambda: [Path(one.path) for one in window.library.view.models] == [made], timeout=10_000)
    page.chat_asked.emit(str(made))
    qtbot.waitUntil(lambda: window.engine.state.kind == "ready", timeout=10_000)
    assert "Q8_0" in window.chat.header.picker.text()


def test_a_folder_that_is_no_checkpoint_is_told(qtbot: QtBot, open_window: OpenWindow, tmp_path: Path) -> None:
    window = open_window(with_model=False, ready=False)
    page = window.convert
    window.show_page("convert")
    page.look_at(str(tmp_path))
    qtbot.waitUntil(lambda: page.notice.isVisible(), timeout=30_000)
    assert "config.json" in page.notice.message
    assert not page.types.isVisible()


@pytest.mark.native
def test_cancel_leaves_nothing(qtbot: QtBot, open_window: OpenWindow, checkpoint: Path, home: Home) -> None:
    window = open_window(with_model=False, ready=False)
    page = window.convert
    window.show_page("convert")
    page.look_at(str(checkpoint))
    qtbot.waitUntil(lambda: page.types.isVisible(), timeout=30_000)
    page.start(("Q4_K_M",))
    page.cancel()
    qtbot.waitUntil(lambda: not page.busy, timeout=30_000)
    assert "cancelled" in page.notice.message
    assert list(home.models.iterdir()) == []


def test_each_type_has_its_size_and_a_verdict() -> None:
    choices = type_choices({"types": ["Q4_K_M", "Q8_0"], "output_bytes": [4_000_000_000, 20_000_000_000]}, DEVICES)
    assert [choice.verdict for choice in choices] == ["should fit on your processor", "too big: 11.0 GB of memory free"]
    assert choices[0].quality.startswith("recommended")


def test_chat_now_takes_the_recommended_type() -> None:
    eight, four = {"type": "Q8_0", "path": "/m/8.gguf"}, {"type": "Q4_K_M", "path": "/m/4.gguf"}
    assert best_path([eight, four]) == "/m/4.gguf"
    assert best_path([eight]) == "/m/8.gguf"
    assert best_path([]) == ""


def test_pace_says_what_is_known() -> None:
    assert pace(0, 10_000_000, 0.0) == "0 B of 10.0 MB"
    assert pace(5_000_000, 10_000_000, 2.0) == "5.0 MB of 10.0 MB · 2.5 MB/s · 2 s left"
