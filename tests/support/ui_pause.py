"""Measures how long the UI thread is ever away, and how the window streams an answer from the fake engine.

`python -m tests.support.ui_pause [--tokens N] [--rate TOKENS_PER_S]` prints the figures as one JSON document.
"""

import argparse
import json
import os
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from PySide6.QtCore import QObject, Qt, QTimer  # noqa: TID251 - it measures the window

from app.actions.context import Pronk
from app.actions.models import add_model
from app.core.paths import Home
from app.devices.values import Cpu, Devices, Memory
from app.gui.chat.message_view import AssistantMessage
from app.gui.main import make_application
from app.gui.ports import Ports
from app.gui.tasks import Tasks
from app.gui.window import Window
from tests.support.fake_engine import fake_starter
from tests.support.models import smollm2_gguf

BEAT_MS = 5
DEVICES = Devices(Cpu("Test CPU", 2, 2), Memory(16_000_000_000, 11_000_000_000, 20_000_000_000))


class Heartbeat(QObject):
    """A timer every 5 ms that remembers the longest time it had to wait.

    `longest_busy_s` counts only the processor time of this thread between two beats: other programs do not disturb it.
    """

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.longest_s = 0.0
        self.longest_busy_s = 0.0
        self._last_s = time.perf_counter()
        self._last_busy_s = time.thread_time()
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setInterval(BEAT_MS)
        self._timer.timeout.connect(self._on_beat)

    def start(self) -> None:
        """Begin to count."""
        self.longest_s = self.longest_busy_s = 0.0
        self._last_s, self._last_busy_s = time.perf_counter(), time.thread_time()
        self._timer.start()

    def stop(self) -> float:
        """Return the longest gap between two beats, in seconds."""
        self._on_beat()
        self._timer.stop()
        return self.longest_s

    def _on_beat(self) -> None:
        now_s, busy_s = time.perf_counter(), time.thread_time()
        self.longest_s = max(self.longest_s, now_s - self._last_s)
        self.longest_busy_s = max(self.longest_busy_s, busy_s - self._last_busy_s)
        self._last_s, self._last_busy_s = now_s, busy_s


@dataclass(frozen=True)
class Streamed:
    """What streaming one answer cost the window."""

    longest_pause_s: float
    longest_busy_s: float
    updates_per_s: float
    updates: int
    elapsed_s: float
    cpu_share: float
    drawn_finished: int
    text: str


def markdown_of(n_tokens: int) -> str:
    """Return Markdown with code, lists and tables of about so many tokens (words)."""
    part = (
        "## Part {0}\n\nA llama that writes code first **thinks** and then types `slowly`; "
        "it reads [the manual](https://example.org/{0}) twice.\n\n"
        "- gather the wool\n- comb it with *care*\n  1. once\n  2. twice\n\n"
        "```python\ndef comb(wool: str, times: int = {0}) -> str:\n    # a patient loop\n"
        "    for i in range(times):\n        wool = wool.replace('knot', '')\n    return wool\n```\n\n"
        "| step | seconds |\n|---|--:|\n| wash | {0} |\n| dry | 12 |\n\n"
    )
    parts, words = [], 0
    while words < n_tokens:
        parts.append(part.format(len(parts) + 1))
        words += len(parts[-1].split())
    return "".join(parts)


def make_window(home: Path, mode: str = "normal", text: Path | None = None, tokens_per_s: float = 0) -> Window:
    """Return a window on the fake engine and a plain computer; start() it as the program would."""
    pronk = Pronk(Home(home).prepare())
    return Window(pronk, Tasks(), "", Ports(fake_starter(mode, text, tokens_per_s), lambda _: DEVICES))


def stream_answer(window: Window, process_events: object, timeout_s: float = 120.0) -> Streamed:
    """Ask once in a window whose model is ready, wait for the whole answer, and return what it cost.

    process_events: a function that runs the event loop for a moment, QApplication.processEvents say.
    """
    assert callable(process_events)
    beat = Heartbeat()
    window.chat.composer.set_draft("Tell me all about llamas.")
    window.chat.composer.submit()
    beat.start()
    began_s, began_cpu_s = time.perf_counter(), time.process_time()
    while not _finished(window):
        process_events()
        time.sleep(0.001)
        assert time.perf_counter() - began_s < timeout_s, "the answer did not end"
    elapsed_s = time.perf_counter() - began_s
    pause_s = beat.stop()
    view = window.chat.messages.views[-1]
    assert isinstance(view, AssistantMessage)
    cpu_share = (time.process_time() - began_cpu_s) / elapsed_s
    body = view.body
    return Streamed(
        pause_s,
        beat.longest_busy_s,
        body.updates / elapsed_s,
        body.updates,
        elapsed_s,
        cpu_share,
        body.drawn_finished,
        body.text,
    )


def _finished(window: Window) -> bool:
    views = window.chat.messages.views
    return (
        not window.controller.answering and bool(views) and isinstance(views[-1], AssistantMessage)
        and views[-1].message.state == "complete" and views[-1].body.is_settled
    )  # fmt: skip


def main() -> None:
    """Stream one answer offscreen and print what it cost."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--tokens", type=int, default=1000)
    parser.add_argument("--rate", type=float, default=120)
    arguments = parser.parse_args()
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        pronk = Pronk(Home(root / "home").prepare())
        add_model(pronk, smollm2_gguf())
        application = make_application(pronk, [])
        answer = root / "answer.md"
        answer.write_text(markdown_of(arguments.tokens), encoding="utf-8")
        window = make_window(pronk.home.root, "normal", answer, arguments.rate)
        window.show()
        window.start()
        while window.engine.state.kind != "ready" or window.conversations.store is None:
            application.processEvents()
        cost = asdict(stream_answer(window, application.processEvents))
        window.close()
    del cost["text"]
    print(json.dumps(cost))


if __name__ == "__main__":
    main()
