"""Writes output files safely: a preallocated .part beside the target, renamed only when whole and flushed."""

import errno
import os
import shutil
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from converters.errors import BadRequest, Busy, ConvertError, NotEnoughDisk
from converters.plan import OutputFile

_CHUNK_BYTES = 4 << 20


class PartFile:
    """One .part file; write from any thread."""

    def __init__(self, plan: OutputFile) -> None:
        self.plan = plan
        self.path = plan.path.with_name(plan.path.name + ".part")
        self._lock = threading.Lock()
        self._file = _open_locked(self.path)

    def allocate(self) -> None:
        """Reserve the whole size on disk, so that a lack of room shows now; then write the header."""
        self._file.truncate(0)
        if hasattr(os, "posix_fallocate"):
            try:
                os.posix_fallocate(self._file.fileno(), 0, self.plan.size_bytes)
            except OSError as error:
                if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS):
                    raise
        self._file.truncate(self.plan.size_bytes)
        self.write(0, self.plan.header)

    def write(self, start: int, data: bytes | memoryview) -> None:
        """Write data at an offset of the file."""
        rest = memoryview(data)
        with self._lock:
            self._file.seek(start)
            while rest:  # an unbuffered write may take less than all, for one at the disk's last bytes
                rest = rest[self._file.write(rest) :]

    def finish(self) -> None:
        """Flush to disk, rename into place and flush the folder."""
        os.fsync(self._file.fileno())
        if sys.platform == "win32":  # an open file cannot be renamed there
            self._file.close()
        self.path.replace(self.plan.path)
        self._file.close()
        _flush_folder(self.plan.path.parent)

    def chunks(self) -> Iterator[bytes]:
        """Give the file's bytes from its start."""
        with self.path.open("rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                yield chunk

    def discard(self) -> None:
        """Close and remove what is there; nothing to do after finish."""
        if not self._file.closed:
            if sys.platform == "win32":
                self._file.close()
            self.path.unlink(missing_ok=True)
            with suppress(OSError):  # a full disk can fail the close too, and the file is gone already
                self._file.close()


@contextmanager
def part_files(plans: Sequence[OutputFile]) -> Iterator[list[PartFile]]:
    """Open and allocate a .part for each plan; whatever ends the block early removes them all."""
    parts: list[PartFile] = []
    try:
        with disk_errors(plans):
            for plan in plans:
                parts.append(PartFile(plan))
            for part in parts:
                part.allocate()
            yield parts
    finally:
        for part in parts:
            part.discard()


@contextmanager
def disk_errors(plans: Sequence[OutputFile]) -> Iterator[None]:
    """Turn the system's errors of writing into messages with numbers."""
    try:
        yield
    except OSError as error:
        folder = plans[0].path.parent
        needed = sum(plan.size_bytes for plan in plans)
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise NotEnoughDisk(
                f"The disk became full: {needed:,} bytes are needed in {folder}, {_free_bytes(folder):,} are free. "
                f"({error.strerror})",
                hint="Free some space, or choose an output folder on another disk.",
            ) from error
        raise NotEnoughDisk(
            f"Cannot write to {folder}: {error.strerror}.", hint="Choose an output folder that can be written."
        ) from error


def check_disk(plans: Sequence[OutputFile]) -> None:
    """Raise NotEnoughDisk with both numbers when the files will not fit; creates the output folder."""
    folder = plans[0].path.parent
    with disk_errors(plans):
        folder.mkdir(parents=True, exist_ok=True)
        needed, free = sum(plan.size_bytes for plan in plans), _free_bytes(folder)
    for plan in plans:
        if plan.path.is_dir():
            raise BadRequest(f"{plan.path} is a folder.", hint="Choose another name for the output.")
    if needed > free:
        raise NotEnoughDisk(
            f"{needed:,} bytes are needed in {folder}, but only {free:,} are free.",
            hint="Free some space, choose an output folder on another disk, or a smaller type.",
        )


def _free_bytes(folder: Path) -> int:
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return 0


def _open_locked(path: Path) -> BinaryIO:
    """Open for writing, keep what is there, and hold a lock until closed; raises Busy when another process has it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o644)
    file = os.fdopen(descriptor, "r+b", buffering=0)
    try:
        _lock(file.fileno())
    except OSError as error:
        file.close()
        raise _busy(path) from error
    return file


def _busy(path: Path) -> ConvertError:
    return Busy(f"Another conversion is writing {path.name}.", hint="Wait for it, or choose another output.")


def _lock(descriptor: int) -> None:
    if sys.platform == "win32":
        import msvcrt

        os.lseek(descriptor, 1 << 40, os.SEEK_SET)  # far behind the data: a locked range cannot be read there
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _flush_folder(folder: Path) -> None:
    if sys.platform == "win32":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
