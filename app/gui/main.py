"""Opens the window and stays until it is closed."""

import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from app.actions.context import Pronk
from app.core.errors import AppError, BadRequest

if TYPE_CHECKING:
    from PySide6.QtWidgets import QApplication

    from app.gui.window import Window

MEASURE = "PRONK_MEASURE_STARTUP"


def run_window(pronk: Pronk, model: str = "", argv: Sequence[str] = ()) -> int:
    """Open the window, on `model` (a file or a library name) if one is named; return the exit code.

    A second start for the same data folder raises the first window. Raises BadRequest when there is no display or
    Qt's libraries are missing. With PRONK_MEASURE_STARTUP=1 it prints the time to the first paint and leaves.
    """
    require_display(os.environ, sys.platform)
    application = make_application(pronk, argv)
    from PySide6.QtCore import Qt

    from app.gui.faults import FaultLog
    from app.gui.single_instance import FirstInstance, raise_first
    from app.gui.tasks import Tasks
    from app.gui.window import Window

    wanted = str(Path(model).absolute()) if model and Path(model).exists() else model
    if raise_first(pronk.home, wanted):
        return 0
    first = FirstInstance(pronk.home)
    window = Window(pronk, Tasks(), wanted)
    first.asked.connect(window.open_model)
    faults = FaultLog(pronk.home.logs / "crash.log", window.chat.notice.show_error)
    faults.start()
    _begin_after_paint(application, window)
    window.closed.connect(application.quit, Qt.ConnectionType.QueuedConnection)
    _close_on_signals(window)
    window.show()
    code = application.exec()
    first.close()
    faults.stop()
    return int(code)


def tell_failure(error: AppError) -> None:
    """Show why Pronk could not open, in a dialog, after a start by double click, where nobody reads stderr.

    Does nothing in a terminal, which has the words already, and where there is no display to a person.
    """
    if sys.stderr.isatty() or os.environ.get("QT_QPA_PLATFORM", "").partition(":")[0] in ("offscreen", "minimal"):
        return
    try:
        require_display(os.environ, sys.platform)
        from PySide6.QtCore import Qt
        from PySide6.QtWidgets import QApplication, QMessageBox
    except (AppError, ImportError):
        return
    application = QApplication.instance() or QApplication(["pronk"])
    box = QMessageBox(QMessageBox.Icon.Warning, "Pronk", error.message)
    box.setTextFormat(Qt.TextFormat.PlainText)
    box.setInformativeText(error.hint)
    box.exec()
    del application


def make_application(pronk: Pronk, argv: Sequence[str]) -> "QApplication":
    """Make the QApplication in the user's theme; raises BadRequest when Qt cannot be loaded."""
    try:
        from PySide6.QtWidgets import QApplication

        from app.gui.theme import apply_theme, body_font
    except ImportError as error:
        raise BadRequest(
            f"The window's libraries cannot be loaded ({error}).",
            hint="On Debian or Ubuntu: sudo apt install libegl1 libxkbcommon0 libxcb-cursor0. Or chat in the "
            "terminal: pronk chat",
        ) from error
    application = QApplication(["pronk", *argv])
    application.setApplicationName("Pronk")
    application.setDesktopFileName("pronk")
    application.setStyle("Fusion")
    application.setFont(body_font())
    choice = pronk.settings().theme
    apply_theme(application, choice)
    application.styleHints().colorSchemeChanged.connect(lambda _: apply_theme(application, choice))
    return application


def require_display(environ: Mapping[str, str], platform: str) -> None:
    """Raise BadRequest when there is nowhere to show a window."""
    if platform in ("win32", "darwin") or environ.get("QT_QPA_PLATFORM"):
        return
    if not (environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY")):
        raise BadRequest(
            "There is no display to open a window on.",
            hint="Chat in the terminal: pronk chat MODEL (pronk models list shows the models there are).",
        )


def _begin_after_paint(application: "QApplication", window: "Window") -> None:
    from PySide6.QtCore import QTimer

    def begin() -> None:
        if os.environ.get(MEASURE) == "1":
            print(f"PRONK_STARTUP first_paint_s={_age_s():.3f}", flush=True)  # noqa: T201 - read by the bench
            window.close()
        else:
            window.start()

    window.painted.connect(lambda: QTimer.singleShot(0, begin))


def _close_on_signals(window: "Window") -> None:
    """Close the window for Ctrl+C in its terminal and for SIGTERM; its timers let Python see the signal within 1 s."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: window.close())


def _age_s() -> float:
    """Return how long this process has lived."""
    import psutil

    return time.time() - float(psutil.Process().create_time())
