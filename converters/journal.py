"""Remembers which blocks of a conversion are written, so that a killed one goes on where it was.

One small file beside the first .part: a line of JSON (what is converted to what, and since when the machine runs), then
records of two 32-bit little-endian numbers: a block that is done, or a mark and how many of them have reached the disk;
and the CRC-32 of all numbers up to this one. After a kill all of them count; after the machine itself went down only
those before the last mark; after a record that is damaged none.
"""

import json
import os
import struct
import threading
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

_MARK = 0xFFFFFFFF
_COMPLETE = 0xFFFFFFFE
_RECORD = struct.Struct("<III")
_PAIR = struct.Struct("<II")


class Journal:
    """The journal of one conversion; done holds the numbers of finished blocks. add from any thread."""

    def __init__(self, path: Path, fingerprint: str) -> None:
        self.path = path
        self.done = _read(path, fingerprint)
        self.complete = _COMPLETE in self.done
        self._lock = threading.Lock()
        self._count = len(self.done)
        self._file, self._crc = _rewrite(path, fingerprint, self.done)

    def add(self, block: int) -> None:
        """Note that a block was written to all its places."""
        with self._lock:
            self.done.add(block)
            self._count += 1
            self._write(block, 0)

    @property
    def count(self) -> int:
        """Blocks noted so far."""
        with self._lock:
            return self._count

    def mark_flushed(self, count: int) -> None:
        """Note that the first `count` blocks of the journal have reached the disk."""
        with self._lock:
            self._write(_MARK, count)
            os.fsync(self._file.fileno())

    def _write(self, number: int, count: int) -> None:
        record, self._crc = _record(number, count, self._crc)
        self._file.write(record)

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
        line, _, data = path.read_bytes().partition(b"\n")
        header = json.loads(line)
    except (OSError, ValueError):
        return set()
    if not isinstance(header, dict) or header.get("fingerprint") != fingerprint:
        return set()
    records = _sound(data, zlib.crc32(line + b"\n"))
    return _reliable(records, same_boot=header.get("boot") == boot_id())


def _record(number: int, count: int, crc: int) -> tuple[bytes, int]:
    """Give a record that follows others of this CRC, and the CRC up to it."""
    crc = zlib.crc32(_PAIR.pack(number, count), crc)
    return _RECORD.pack(number, count, crc), crc


def _sound(data: bytes, crc: int) -> Iterator[tuple[int, int]]:
    """Give the numbers of the records up to the first that is cut short or damaged."""
    for number, count, stated in _RECORD.iter_unpack(data[: len(data) // _RECORD.size * _RECORD.size]):
        _, crc = _record(number, count, crc)
        if crc != stated:
            return
        yield number, count


def _reliable(records: Iterator[tuple[int, int]], *, same_boot: bool) -> set[int]:
    blocks: list[int] = []
    flushed = 0
    for number, count in records:
        if number == _MARK:
            flushed = min(count, len(blocks))
        else:
            blocks.append(number)
    return set(blocks if same_boot else blocks[:flushed])


def _rewrite(path: Path, fingerprint: str, done: set[int]) -> tuple[BinaryIO, int]:
    """Write the journal anew with what can be relied on, and open it for more; gives the CRC of its records too."""
    fresh = path.with_name(path.name + ".new")
    header = json.dumps({"fingerprint": fingerprint, "boot": boot_id()}).encode() + b"\n"
    data, crc = bytearray(header), zlib.crc32(header)
    for block in sorted(done):
        record, crc = _record(block, 0, crc)
        data += record
    try:
        with fresh.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except OSError:
        fresh.unlink(missing_ok=True)
        raise
    return path.open("ab", buffering=0), crc


def boot_id() -> str:
    """Tell this run of the machine from others: Linux's own number, elsewhere the minute at which it began."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return f"minute {(time.time() - time.monotonic()) / 60:.0f}"
