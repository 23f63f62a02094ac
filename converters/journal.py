"""Remembers which blocks of a conversion are written, so that a killed one goes on where it was.

One small file beside the first .part: a line of JSON (what is converted to what, and since when the machine runs), then
32-bit little-endian numbers: blocks that are done, and marks that say how many of them have reached the disk. After a
kill all of them count; after the machine itself went down only those before the last mark.
"""

import json
import os
import struct
import threading
import time
from pathlib import Path
from typing import BinaryIO

_MARK = 0xFFFFFFFF
_COMPLETE = 0xFFFFFFFE
_RECORD = struct.Struct("<I")
_PAIR = struct.Struct("<II")


class Journal:
    """The journal of one conversion; done holds the numbers of finished blocks. add from any thread."""

    def __init__(self, path: Path, fingerprint: str) -> None:
        self.path = path
        self.done = _read(path, fingerprint)
        self.complete = _COMPLETE in self.done
        self._lock = threading.Lock()
        self._count = len(self.done)
        self._file = _rewrite(path, fingerprint, self.done)

    def add(self, block: int) -> None:
        """Note that a block was written to all its places."""
        with self._lock:
            self.done.add(block)
            self._count += 1
            self._file.write(_RECORD.pack(block))

    @property
    def count(self) -> int:
        """Blocks noted so far."""
        with self._lock:
            return self._count

    def mark_flushed(self, count: int) -> None:
        """Note that the first `count` blocks of the journal have reached the disk."""
        with self._lock:
            self._file.write(_PAIR.pack(_MARK, count))
            os.fsync(self._file.fileno())

    def mark_complete(self) -> None:
        """Note that everything is written and flushed: what follows is renaming."""
        self.add(_COMPLETE)
        self.mark_flushed(self.count)

    def close(self) -> None:
        """Keep the journal for a later run."""
        self._file.close()

    def remove(self) -> None:
        """Delete the journal: there is nothing to resume."""
        self._file.close()
        self.path.unlink(missing_ok=True)


def _read(path: Path, fingerprint: str) -> set[int]:
    """Give the blocks that can be relied on; none when the journal is of another conversion or cannot be read."""
    try:
        line, _, records = path.read_bytes().partition(b"\n")
        header = json.loads(line)
    except (OSError, ValueError):
        return set()
    if not isinstance(header, dict) or header.get("fingerprint") != fingerprint:
        return set()
    numbers = [number for (number,) in _RECORD.iter_unpack(records[: len(records) // 4 * 4])]
    return _reliable(numbers, same_boot=header.get("boot") == boot_id())


def _reliable(numbers: list[int], *, same_boot: bool) -> set[int]:
    blocks: list[int] = []
    flushed = 0
    entries = iter(numbers)
    for number in entries:
        if number == _MARK:
            flushed = min(next(entries, 0), len(blocks))
        else:
            blocks.append(number)
    return set(blocks if same_boot else blocks[:flushed])


def _rewrite(path: Path, fingerprint: str, done: set[int]) -> BinaryIO:
    """Write the journal anew with what can be relied on, and open it for more."""
    fresh = path.with_name(path.name + ".new")
    header = json.dumps({"fingerprint": fingerprint, "boot": boot_id()}).encode() + b"\n"
    with fresh.open("wb") as file:
        file.write(header + b"".join(map(_RECORD.pack, sorted(done))))
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    return path.open("ab", buffering=0)


def boot_id() -> str:
    """Tell this run of the machine from others: Linux's own number, elsewhere the minute at which it began."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return f"minute {(time.time() - time.monotonic()) / 60:.0f}"
