"""How fast this computer reads its main memory: measured once, then remembered with the processor's name."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from app.core.errors import NotEnoughDisk
from app.core.files import write_atomic

MEASURE_S = 0.14
BLOCK_BYTES = 64 * 2**20
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
    """Return what was measured on this processor before, None when nothing was."""
    try:
        stored = json.loads((cache / CACHE_NAME).read_text(encoding="utf-8"))
        return int(stored[cpu])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def remember_bandwidth(cache: Path, cpu: str, bandwidth_bytes_per_s: int) -> bool:
    """Keep a measurement; False when the cache cannot be written, which costs only a later measurement."""
    try:
        write_atomic(cache / CACHE_NAME, json.dumps({cpu: bandwidth_bytes_per_s}).encode())
    except NotEnoughDisk:
        return False
    return True
