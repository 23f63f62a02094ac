"""Keeps the files that llama.cpp maps from filling this process's memory. On Linux; elsewhere it does nothing.

llama.cpp asks for all pages of a model's file at once (MAP_POPULATE, src/llama-mmap.cpp), and from then on the whole
file counts as this process's memory. The pages are those of the disk's cache, nobody writes them, and whoever lets go
of them finds them there again: a thread does so each time when they have become too many."""

import ctypes
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LIMIT_BYTES = 96 << 20
_OVERSHOOT_BYTES = 416 << 20  # touched before the watching thread got its turn: 50 MB is usual, 430 were seen
_INTERVAL_S = 0.002
_MADV_DONTNEED = 4
_MAPS, _STATM = Path("/proc/self/maps"), Path("/proc/self/statm")


def can_limit() -> bool:
    """Say whether the pages of mapped files can be let go of here."""
    return sys.platform == "linux" and _STATM.is_file() and _MAPS.is_file()


def resident_bytes(file_size_bytes: int) -> int:
    """Give the most memory that a mapped file of this size takes under limited_mappings."""
    return min(file_size_bytes, LIMIT_BYTES + _OVERSHOOT_BYTES) if can_limit() else file_size_bytes


@contextmanager
def limited_mappings() -> Iterator[None]:
    """Let go of the pages of mapped files whenever they are more than LIMIT_BYTES, until the block ends."""
    if not can_limit():
        yield
        return
    ended = threading.Event()
    watcher = threading.Thread(target=_watch, args=(ended,), name="mapped pages", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()


def _watch(ended: threading.Event) -> None:
    madvise = ctypes.CDLL(None).madvise
    madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    page_bytes = os.sysconf("SC_PAGE_SIZE")
    with _STATM.open("rb", buffering=0) as statm:
        while not ended.wait(_INTERVAL_S):
            statm.seek(0)
            if int(statm.read(200).split()[2]) * page_bytes > LIMIT_BYTES:  # the third number: pages of files
                for start, end in _mappings():
                    madvise(start, end - start, _MADV_DONTNEED)


def _mappings() -> list[tuple[int, int]]:
    """Give where files are mapped shared and read-only, as models are: nothing there can be lost."""
    ranges = (line.split(b" ", 1)[0].split(b"-") for line in _MAPS.read_bytes().splitlines() if b" r--s " in line)
    return [(int(start, 16), int(end, 16)) for start, end in ranges]
