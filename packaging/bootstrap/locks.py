"""One set-up at a time: a lock file that the system frees when its holder ends, however it ends."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from console import say


@contextmanager
def held(path: Path, purpose: str) -> Iterator[None]:
    """Hold the lock of a file; say so once and wait while another process holds it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="utf-8") as file:
        if not _try_lock(file):
            say(f"  Another set-up is {purpose}; waiting for it (Ctrl+C to stop).")
            _wait_lock(file)
        yield


if sys.platform != "win32":
    import fcntl

    def _try_lock(file: IO[str]) -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _wait_lock(file: IO[str]) -> None:
        fcntl.flock(file, fcntl.LOCK_EX)

else:
    import msvcrt
    import time

    def _try_lock(file: IO[str]) -> bool:
        file.seek(0)
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _wait_lock(file: IO[str]) -> None:
        while not _try_lock(file):
            time.sleep(1.0)
