"""What the window's own thread does while a 1,000-token answer streams."""

import json
import os
import subprocess
import sys

from tests.bench.figures import Figure

RUNS = 5

SCRIPT = """
import dataclasses, json, tempfile
from pathlib import Path
from PySide6.QtWidgets import QApplication
from app.actions.context import Pronk
from app.actions.models import add_model
from app.core.paths import Home
from tests.support.models import smollm2_gguf
from tests.support.ui_pause import make_window, markdown_of, stream_answer
application = QApplication([])
with tempfile.TemporaryDirectory() as folder:
    home = Home(Path(folder) / "home").prepare()
    text = Path(folder) / "answer.md"
    text.write_text(markdown_of(1000), encoding="utf-8")
    add_model(Pronk(home), smollm2_gguf())
    window = make_window(home.root, text=text, tokens_per_s=60)
    window.show()
    window.start()
    while window.engine.state.kind != "ready" or window.conversations.store is None:
        application.processEvents()
    streamed = stream_answer(window, application.processEvents)
    window.close()
print(json.dumps(dataclasses.asdict(streamed)))
"""


def streaming() -> list[Figure]:
    """The longest pause of the UI thread, and how often it drew, in a process of its own each time."""
    runs = [_stream() for _ in range(RUNS)]
    pauses = tuple(1000 * float(run["longest_pause_s"]) for run in runs)
    updates = tuple(float(run["updates_per_s"]) for run in runs)
    shares = tuple(100 * float(run["cpu_share"]) for run in runs)
    return [
        Figure("longest UI pause, 1,000-token answer", "ms", pauses, at_most=50),
        Figure("view updates", "1/s", updates, at_most=30),
        Figure("window's share of one core", "%", shares),
    ]


def _stream() -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        check=True,
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen"},
    )
    streamed: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return streamed
