"""The converter against llama.cpp's own two steps (convert_hf_to_gguf.py, then llama_model_quantize), interleaved.

The reference needs an environment of its own: PRONK_REFERENCE_PYTHON is its interpreter (torch, transformers), and
PRONK_LLAMA_CPP the folder of llama.cpp's sources; tests/goldens/README.md says how both are made."""

import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from converters.quant_types import FILE_TYPES
from tests.bench.figures import Figure

PAIRS = 15
TYPES = {"Q8_0": 0.4, "Q4_K_M": 0.75}
N_THREADS = 2
ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Cost:
    """What one way of converting took: time, the largest process, and the most bytes of disk beyond the result."""

    elapsed_s: float
    peak_bytes: int
    extra_bytes: int

    def __add__(self, later: "Cost") -> "Cost":
        return Cost(
            self.elapsed_s + later.elapsed_s,
            max(self.peak_bytes, later.peak_bytes),
            max(self.extra_bytes, later.extra_bytes),
        )


def upstream() -> list[Figure]:
    """The figures for each type, both sides and their ratios; none, and a line, without the reference."""
    python, sources = os.environ.get("PRONK_REFERENCE_PYTHON"), os.environ.get("PRONK_LLAMA_CPP")
    if not python or not sources:
        print("upstream: not measured; PRONK_REFERENCE_PYTHON and PRONK_LLAMA_CPP are not set", file=sys.stderr)
        return []
    pairs = int(os.environ.get("PRONK_BENCH_PAIRS", PAIRS))
    with tempfile.TemporaryDirectory(dir=os.environ.get("PRONK_BENCH_DIR")) as folder:
        bench = _Bench(Path(folder), [python, str(Path(sources) / "convert_hf_to_gguf.py")])
        rows = [bench.round(i) for i in range(-1, pairs)][1:]  # the first warms the caches
    return [figure for name in TYPES for figure in _figures(name, [row[name] for row in rows], bench.wide_bytes)]


class _Bench:
    """One checkpoint of 2.1 GB, and both ways to convert it."""

    def __init__(self, folder: Path, converter: list[str]) -> None:
        self._folder = folder
        self._converter = converter
        self._checkpoint = folder / "Random-1.04B"
        # in a process of its own: a child's peak counts that of the process it was forked from
        make = [sys.executable, "-m", "tests.support.large_checkpoint", str(self._checkpoint)]
        subprocess.run(make, cwd=ROOT, check=True)
        self.wide_bytes = 1

    def round(self, i: int) -> dict[str, tuple[Cost, Cost]]:
        """Convert to each type both ways, whichever first in turn; gives (ours, theirs)."""
        if i % 2:
            ours = {name: self._ours(name) for name in TYPES}
            theirs = self._theirs()
        else:
            theirs = self._theirs()
            ours = {name: self._ours(name) for name in TYPES}
        return {name: (ours[name], theirs[name]) for name in TYPES}

    def _ours(self, name: str) -> Cost:
        out = self._folder / "ours"
        command = [sys.executable, "-m", "converters", "convert", str(self._checkpoint), "--type", name]
        cost = _measured([*command, "--threads", str(N_THREADS), "--output", str(out), "--json"], out)
        _empty(out)
        return cost

    def _theirs(self) -> dict[str, Cost]:
        """The first step is the same for each type: it is done once, and counts for each."""
        out = self._folder / "theirs"
        out.mkdir(exist_ok=True)
        wide = out / "wide.gguf"
        first = _measured([*self._converter, str(self._checkpoint), "--outfile", str(wide)], out, kept=0)
        self.wide_bytes = wide.stat().st_size
        costs = {}
        for name in TYPES:
            target = out / f"{name}.gguf"
            number = str(FILE_TYPES[name].number)
            step = [sys.executable, "-m", "tests.support.native", "quantize", str(wide), str(target), number]
            costs[name] = first + _measured(step, out)
            target.unlink()
        _empty(out)
        return costs


def _measured(command: Sequence[str], out: Path, kept: int | None = None) -> Cost:
    """Run a command; kept: bytes of the folder that are the result at the end, by default the largest .gguf's."""
    ended = threading.Event()
    most = [0]

    def watch() -> None:
        while not ended.wait(0.05):
            most[0] = max(most[0], _disk_bytes(out))

    watcher = threading.Thread(target=watch)
    start = time.perf_counter()
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    watcher.start()
    _, status, usage = os.wait4(process.pid, 0)
    elapsed_s = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    ended.set()
    watcher.join()
    assert process.returncode == 0, command
    newest = max(out.glob("*.gguf"), key=lambda path: path.stat().st_mtime_ns)
    result_bytes = newest.stat().st_size if kept is None else kept
    return Cost(elapsed_s, _peak_bytes(usage), max(0, most[0] - result_bytes))


def _peak_bytes(usage: resource.struct_rusage) -> int:
    """The largest of the process and the children that it waited for."""
    return usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _disk_bytes(folder: Path) -> int:
    total = 0
    for path in folder.glob("*"):
        try:
            total += path.stat().st_blocks * 512
        except OSError:  # renamed or removed just now
            continue
    return total


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()


def _figures(name: str, rows: Sequence[tuple[Cost, Cost]], wide_bytes: int) -> list[Figure]:
    label = f"convert 1.04B to {name}"
    ours, theirs = [mine for mine, _ in rows], [peer for _, peer in rows]
    return [
        Figure(f"{label}, pronk", "s", tuple(cost.elapsed_s for cost in ours)),
        Figure(f"{label}, two steps", "s", tuple(cost.elapsed_s for cost in theirs)),
        Figure(f"{label}, time", "×", tuple(a.elapsed_s / b.elapsed_s for a, b in rows), TYPES[name]),
        Figure(f"{label}, memory, pronk", "MB", tuple(cost.peak_bytes / 1e6 for cost in ours)),
        Figure(f"{label}, memory", "×", tuple(a.peak_bytes / b.peak_bytes for a, b in rows), 0.6),
        Figure(f"{label}, extra disk", "×", tuple(cost.extra_bytes / wide_bytes for cost in ours), 0.01),
    ]
