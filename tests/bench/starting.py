"""How fast the window and the command line start, and how fast headers are read."""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from app.core.bytesource import FileSource
from app.library.header import read_header
from tests.bench.figures import Figure, timed
from tests.support.models import gemma3_gguf, smollm2_gguf

RUNS = 15


def command_start() -> Figure:
    """`pronk --help`, whole process."""
    pronk = str(Path(sys.executable).with_name("pronk"))
    seconds = timed(lambda: subprocess.run([pronk, "--help"], check=True, stdout=subprocess.DEVNULL), RUNS)
    return Figure("pronk --help", "ms", tuple(1000 * value for value in seconds), at_most=150)


def window_start() -> Figure:
    """From the start of the process to the window's first paint, offscreen."""
    with tempfile.TemporaryDirectory() as home:
        first_paint_s(home)
        return Figure("window, start to first paint", "s", tuple(first_paint_s(home) for _ in range(RUNS)), at_most=1.0)


def first_paint_s(home: str) -> float:
    """Start the window once and return the seconds until its first paint."""
    environment = {
        **os.environ,
        "PRONK_HOME": home,
        "PRONK_MEASURE_STARTUP": "1",
        "QT_QPA_PLATFORM": "offscreen",
    }
    done = subprocess.run(
        [sys.executable, "-P", "-m", "app"], env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    match = re.search(r"PRONK_STARTUP first_paint_s=([\d.]+)", done.stdout)
    if match is None:
        raise AssertionError(f"the window did not tell its first paint: {done.stdout} {done.stderr}")
    return float(match[1])


def header_reads() -> list[Figure]:
    """The header of a model with 49k tokens and of one with 262k."""
    bounds = ((smollm2_gguf(), "SmolLM2's header", 25), (gemma3_gguf(), "Gemma 3's header", 40))
    return [_header_read(path, name, at_most) for path, name, at_most in bounds]


def _header_read(path: Path, name: str, at_most: float) -> Figure:
    def read() -> None:
        with FileSource(path) as source:
            read_header(source)

    return Figure(name, "ms", tuple(1000 * value for value in timed(read, RUNS)), at_most=at_most)
