"""How fast this computer reads its main memory: measured in the first runs, remembered with the processor's name."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from app.core.errors import NotEnoughDisk
from app.core.files import write_atomic
from app.core.json_text import parse_json

MEASURE_S = 0.14
BLOCK_BYTES = 64 * 2**20
MEASUREMENTS = 3
CACHE_NAME = "bandwidth.json"


def measure_bandwidth(n_threads: int, measure_s: float = MEASURE_S) -> int:
    """Return bytes a second that `n_threads` read together; takes about `measure_s`, its set-up included.

    The threads share one block, larger than a desktop's caches, and numpy lets them run side by side; the maximum
    costs less arithmetic than a sum, so memory is the limit.
    """
    import numpy as np

    deadline = time.perf_counter() + measure_s
    block = np.ones(BLOCK_BYTES // 8)

    def read(part: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> float:
        start, rounds = time.perf_counter(), 0
        while (now := time.perf_counter()) < deadline or not rounds:
            part.max()
            rounds += 1
        return rounds * part.nbytes / max(1e-9, now - start)

    parts = np.array_split(block, max(1, n_threads))
    with ThreadPoolExecutor(len(parts)) as pool:
        return int(sum(pool.map(read, parts)))


def remembered_bandwidth(cache: Path, cpu: str) -> int | None:
    """Return the best of what was measured on this processor; None until it was measured often enough."""
    best, count = _stored(cache, cpu)
    return best if count >= MEASUREMENTS else None


def remember_bandwidth(cache: Path, cpu: str, bandwidth_bytes_per_s: int) -> int:
    """Keep a measurement and return the best so far.

    Other programs only ever make a measurement too low, so the best of several counts. A cache that cannot be written
    costs only later measurements.
    """
    known, count = _stored(cache, cpu)
    best = max(known, bandwidth_bytes_per_s)
    with suppress(NotEnoughDisk):
        write_atomic(cache / CACHE_NAME, json.dumps({cpu: [best, count + 1]}).encode())
    return best


def _stored(cache: Path, cpu: str) -> tuple[int, int]:
    """Return the best measurement of this processor and how many there were."""
    try:
        best, count = parse_json((cache / CACHE_NAME).read_text(encoding="utf-8"))[cpu]
        return int(best), int(count)
    except (OSError, ValueError, KeyError, TypeError):
        return 0, 0
