"""A window on the fake engine, in a home of its own, closed at the end."""

from collections.abc import Callable, Iterator

import pytest
from PySide6.QtCore import QCoreApplication, QEvent
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app.actions.context import Pronk
from app.actions.models import add_model
from app.core.paths import Home
from app.gui.tasks import Tasks
from app.gui.theme import apply_theme, body_font
from app.gui.window import Window
from tests.support.models import smollm2_gguf
from tests.support.ui_pause import make_window

OpenWindow = Callable[..., Window]


@pytest.fixture(scope="session", autouse=True)
def _style(qapp: QApplication) -> None:
    qapp.setStyle("Fusion")
    qapp.setFont(body_font())
    apply_theme(qapp, "light")


@pytest.fixture
def tasks(qapp: QApplication) -> Iterator[Tasks]:
    bridge = Tasks()
    yield bridge
    bridge.close()


@pytest.fixture
def open_window(qtbot: QtBot, home: Home) -> Iterator[OpenWindow]:
    """Open a window with one model; ready=False returns before the engine has loaded it."""
    windows: list[Window] = []

    def open_(
        mode: str = "normal",
        text: str = "",
        tokens_per_s: float = 0,
        ready: bool = True,
        with_model: bool = True,
    ) -> Window:
        if with_model:
            add_model(Pronk(home), smollm2_gguf())
        file = home.root / "answer.md"
        if text:
            file.write_text(text, encoding="utf-8")
        window = make_window(home.root, mode, file if text else None, tokens_per_s)
        windows.append(window)
        window.show()
        window.start()
        if ready:
            qtbot.waitUntil(lambda: window.engine.state.kind == "ready", timeout=10_000)
            qtbot.waitUntil(lambda: window.conversations.store is not None, timeout=10_000)
        return window

    yield open_
    for window in windows:
        window.close()
        window.deleteLater()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
