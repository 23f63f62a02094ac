"""Starting the program: the first paint, what is not loaded, no display, a second window."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from app.core.errors import BadRequest
from app.core.paths import Home
from app.gui.main import require_display
from app.gui.single_instance import FirstInstance, raise_first, server_name

pytestmark = pytest.mark.gui

NEVER = ("llama_cpp", "pydantic", "starlette", "uvicorn", "numpy", "gguf", "jinja2", "qtawesome", "tokenizers")
SPY = """
import json, sys
from app.__main__ import main
code = main([])
print(json.dumps(sorted(name for name in sys.modules if "." not in name)))
sys.exit(code)
"""


def run(home: Home, code: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", *(["-c", code] if code else ["-m", "app"])]
    variables = {**os.environ, "PRONK_HOME": str(home.root), "QT_QPA_PLATFORM": "offscreen", **environment}
    return subprocess.run(command, env=variables, capture_output=True, text=True, timeout=60)


def test_the_window_paints_and_says_when(home: Home) -> None:
    done = run(home, PRONK_MEASURE_STARTUP="1")
    assert done.returncode == 0, done.stderr
    name, _, value = done.stdout.split()[1].partition("=")
    assert name == "first_paint_s"
    assert 0 < float(value) < 10


def test_no_heavy_or_native_module_is_in_the_windows_process(home: Home) -> None:
    done = run(home, SPY, PRONK_MEASURE_STARTUP="1")
    assert done.returncode == 0, done.stderr
    loaded = json.loads(done.stdout.splitlines()[-1])
    assert [name for name in NEVER if name in loaded] == []
    assert "markdown_it" not in loaded  # comes with the first answer
    assert "pygments" not in loaded


def test_even_an_answer_loads_nothing_native(home: Home) -> None:
    code = f"""
import json, sys
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
import app.gui.window, app.gui.warm_up, app.actions.models, app.actions.plan, app.actions.convert, app.chat.store
app.gui.warm_up.warm_up()
from tests.support.models import smollm2_gguf
app.actions.models.read_facts(smollm2_gguf())
print(json.dumps(sorted(name for name in sys.modules if "." not in name)))
"""
    done = run(home, code)
    assert done.returncode == 0, done.stderr
    loaded = json.loads(done.stdout.splitlines()[-1])
    assert [name for name in NEVER if name in loaded] == []


def test_without_a_display_the_terminal_is_offered(home: Home) -> None:
    with pytest.raises(BadRequest) as refusal:
        require_display({}, "linux")
    assert "pronk chat" in refusal.value.hint
    require_display({"WAYLAND_DISPLAY": "wayland-0"}, "linux")
    require_display({}, "darwin")
    done = run(home, QT_QPA_PLATFORM="", DISPLAY="", WAYLAND_DISPLAY="")
    assert done.returncode == 1
    assert "pronk chat" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_second_start_raises_the_first_window(qtbot: QtBot, home: Home) -> None:
    first = FirstInstance(home)
    asked: list[str] = []
    first.asked.connect(asked.append)
    variables = {**os.environ, "PRONK_HOME": str(home.root), "QT_QPA_PLATFORM": "offscreen"}
    second = subprocess.Popen([sys.executable, "-P", "-m", "app"], env=variables, stderr=subprocess.PIPE)
    try:
        qtbot.waitUntil(lambda: asked == [""], timeout=20_000)
        assert second.wait(20) == 0
    finally:
        second.kill()
        second.communicate()
        first.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_closes_the_window_cleanly(qtbot: QtBot, home: Home, number: signal.Signals) -> None:
    variables = {**os.environ, "PRONK_HOME": str(home.root), "QT_QPA_PLATFORM": "offscreen"}
    window = subprocess.Popen([sys.executable, "-P", "-m", "app"], env=variables, stderr=subprocess.PIPE)
    try:
        qtbot.waitUntil(lambda: raise_first(home, ""), timeout=20_000)
        window.send_signal(number)
        _, errors = window.communicate(timeout=30)
        assert window.returncode == 0, errors
        assert b"Traceback" not in errors
    finally:
        window.kill()
        window.communicate()


def test_homes_have_windows_of_their_own(tmp_path: Path) -> None:
    assert server_name(Home(tmp_path / "a")) != server_name(Home(tmp_path / "b"))


def test_every_control_has_a_name(qtbot: QtBot, open_window: "object") -> None:
    from PySide6.QtWidgets import QAbstractButton, QLineEdit, QListView, QPlainTextEdit, QTableView

    window = open_window()  # type: ignore[operator]
    kinds = (QAbstractButton, QLineEdit, QListView, QPlainTextEdit, QTableView)
    internal = ("qt_", "ScrollBar")

    def named(widget: QWidget) -> bool:
        words = getattr(widget, "text", lambda: "")()
        return bool(widget.accessibleName() or words or widget.objectName().startswith(internal))

    unnamed = [
        f"{type(widget).__name__} in {type(widget.parent()).__name__}"
        for kind in kinds
        for widget in window.findChildren(kind)
        if not named(widget) and not isinstance(widget.parent(), QLineEdit | QTableView)
    ]
    assert unnamed == []


def test_streaming_keeps_the_window_awake(qtbot: QtBot, open_window: "object") -> None:
    from PySide6.QtWidgets import QApplication

    from tests.support.ui_pause import markdown_of, stream_answer

    text = markdown_of(1000)
    window = open_window(text=text, tokens_per_s=250)  # type: ignore[operator]
    cost = stream_answer(window, QApplication.processEvents)
    assert cost.text == text
    assert cost.updates_per_s <= 30
    assert cost.longest_busy_s < 0.05


def test_the_window_fits_a_small_screen() -> None:
    from PySide6.QtCore import QSize

    from app.gui.window import SIZE_PX, SMALLEST_PX, within

    assert within(SIZE_PX, QSize(700, 430)) == QSize(700, 430)
    assert within(SMALLEST_PX, QSize(700, 430)) == QSize(640, 430)
    assert within(SIZE_PX, QSize(1920, 1080)) == QSize(*SIZE_PX)


def test_the_sidebar_folds_away_and_comes_back(qtbot: QtBot, open_window: "object") -> None:
    from PySide6.QtCore import Qt

    window = open_window(ready=False)  # type: ignore[operator]
    qtbot.waitUntil(window.isActiveWindow)
    window.resize(700, 600)
    qtbot.waitUntil(window.sidebar.isHidden)
    qtbot.keyClick(window, Qt.Key.Key_B, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(window.sidebar.isVisible)
    window.resize(1200, 700)
    qtbot.waitUntil(window.sidebar.isVisible)
