"""Writes output files safely: a preallocated .part beside the target, renamed only when whole and flushed."""

import errno
import hashlib
import os
import shutil
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from converters.errors import BadRequest, Busy, Cancelled, ConvertError, NotEnoughDisk, Unreadable
from converters.journal import Journal
from converters.plan import OutputFile

_CHUNK_BYTES = 4 << 20
_OPEN_FLAGS = getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)  # a link would lead to another file
_JOURNAL_VERSION = 2  # to be raised when blocks are cut or counted otherwise


class PartFile:
    """One .part file; write from any thread."""

    def __init__(self, plan: OutputFile) -> None:
        self.plan = plan
        self.path = part_path(plan.path)
        self.renamed = False
        self.lost = False
        self._lock = threading.Lock()
        self._file = _open_locked(self.path)

    @property
    def whole(self) -> bool:
        """Whether the file has its full size and the header of this plan: it was begun by the same conversion."""
        return _begins_with(self.path, self.plan)

    def adopt(self) -> None:
        """Take the target as what this is about: a run that was killed while it renamed had finished it."""
        self.discard()
        self.path, self.renamed = self.plan.path, True

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
        while rest:  # a write may take less than all, for one at the disk's last bytes
            count = self._write_some(start, rest)
            start, rest = start + count, rest[count:]

    def _write_some(self, start: int, data: memoryview) -> int:
        if hasattr(os, "pwrite"):
            return os.pwrite(self._file.fileno(), data, start)
        with self._lock:
            self._file.seek(start)
            return self._file.write(data) or 0

    def flush(self) -> None:
        """Wait until what was written so far has reached the disk."""
        if self.renamed:
            return
        try:
            getattr(os, "fdatasync", os.fsync)(self._file.fileno())
        except OSError:  # told once only: the next flush would succeed without what was lost
            self.lost = True
            raise

    def finish(self) -> None:
        """Rename into place and flush the folder; what was written must have been flushed."""
        if self.renamed:
            return
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

    def leave(self, journal: Path) -> None:
        """Close the file as it was found, unless it is empty or without a journal, and so of no use."""
        if not self._file.closed and self.path.stat().st_size and journal.exists():
            self.keep()
        else:
            self.discard()

    def keep(self) -> None:
        """Close the file, for a later run to go on with."""
        with suppress(OSError):
            self._file.close()

    def discard(self) -> None:
        """Close and remove what is there; nothing to do after finish."""
        if not self._file.closed:
            if sys.platform == "win32":
                self._file.close()
            self.path.unlink(missing_ok=True)
            with suppress(OSError):  # a full disk can fail the close too, and the file is gone already
                self._file.close()


@dataclass
class Parts:
    """The files that are being written, and the journal of what is in them."""

    files: list[PartFile]
    journal: Journal

    def settle(self, *, keep: bool) -> None:
        """Leave what a later run can go on with, or nothing."""
        if keep and self.journal.done and not any(part.lost for part in self.files):
            self.journal.close()
            for part in self.files:
                part.keep()
        else:
            self.journal.remove()
            for part in self.files:
                part.discard()


@contextmanager
def part_files(plans: Sequence[OutputFile], fingerprint: str) -> Iterator[Parts]:
    """Open a .part for each plan, go on with what a killed or stopped run of the same conversion left, or begin anew.

    Whatever ends the block early leaves either nothing, or parts that can be resumed: after a cancel, when the disk
    became full, and when the checkpoint could not be read any more."""
    parts: list[PartFile] = []
    with disk_errors(plans):
        opened: Parts | None = None
        keep = False
        try:
            for plan in plans:
                parts.append(PartFile(plan))
            opened = _begin(plans, parts, fingerprint)
            yield opened
        except (Cancelled, Unreadable, OSError, MemoryError):
            keep = True
            raise
        finally:
            if opened is not None:
                opened.settle(keep=keep)
            else:
                for part in parts:
                    part.leave(journal_path(plans[0].path))


def _begin(plans: Sequence[OutputFile], parts: list[PartFile], fingerprint: str) -> Parts:
    journal = Journal(journal_path(plans[0].path), fingerprint)
    for part in parts:
        if journal.complete and not part.whole and _begins_with(part.plan.path, part.plan):
            part.adopt()
    if not all(part.renamed or part.whole for part in parts):
        journal.remove()
        journal = Journal(journal.path, fingerprint)
    opened = Parts(parts, journal)
    if not journal.done:
        try:
            for part in parts:
                part.allocate()
        except OSError:
            opened.settle(keep=False)
            raise
    return opened


def part_path(target: Path) -> Path:
    """Give the name under which a target is written."""
    return target.with_name(target.name + ".part")


def journal_path(first_target: Path) -> Path:
    """Give the name of the journal of a conversion, by its first target."""
    return first_target.with_name(first_target.name + ".journal")


def fingerprint_of(plans: Sequence[OutputFile], inputs: Sequence[Path]) -> str:
    """Tell this conversion from any other: what is written, and the files that it is made of as they are now."""
    digest = hashlib.sha256(str(_JOURNAL_VERSION).encode())
    for plan in plans:
        digest.update(plan.header + os.fsencode(plan.path))
        digest.update("".join(f"{t.source.name} {t.type} {t.via};" for t in plan.tensors).encode())
        for tensor in plan.tensors:
            digest.update(b"" if tensor.source.data is None else tensor.source.data.tobytes())
    for path in sorted(set(inputs)):
        about = path.stat()
        digest.update(os.fsencode(path.resolve()) + f" {about.st_size} {about.st_mtime_ns}".encode())
    return digest.hexdigest()


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
        place = Path(os.fsdecode(error.filename)) if isinstance(error.filename, str | bytes) else folder
        raise NotEnoughDisk(
            f"Cannot write to {place}: {error.strerror}.", hint="Choose an output folder that can be written."
        ) from error


def check_disk(plans: Sequence[OutputFile]) -> None:
    """Raise NotEnoughDisk with both numbers when the files will not fit; creates the output folder."""
    folder = plans[0].path.parent
    with disk_errors(plans):
        folder.mkdir(parents=True, exist_ok=True)
        needed = sum(plan.size_bytes for plan in plans)
        free = _free_bytes(folder) + sum(_taken_bytes(part_path(plan.path)) for plan in plans)
    for plan in plans:
        if plan.path.is_dir():
            raise BadRequest(f"{plan.path} is a folder.", hint="Choose another name for the output.")
    if needed > free:
        raise NotEnoughDisk(
            f"{needed:,} bytes are needed in {folder}, but only {free:,} are free.",
            hint="Free some space, choose an output folder on another disk, or a smaller type.",
        )


def _begins_with(path: Path, plan: OutputFile) -> bool:
    """Tell whether a file has the size and the header of the plan."""
    try:
        with path.open("rb") as file:
            return path.stat().st_size == plan.size_bytes and file.read(len(plan.header)) == plan.header
    except OSError:
        return False


def _taken_bytes(path: Path) -> int:
    """Give what a file that will be overwritten takes on disk."""
    try:
        about = path.stat()
    except OSError:
        return 0
    return int(getattr(about, "st_blocks", 0)) * 512


def _free_bytes(folder: Path) -> int:
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return 0


def _open_locked(path: Path) -> BinaryIO:
    """Open for writing, keep what is there, and hold a lock until closed; raises Busy when another process has it."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | _OPEN_FLAGS, 0o644)
        file = os.fdopen(descriptor, "r+b", buffering=0)
        try:
            _lock(file.fileno())
        except OSError as error:
            file.close()
            raise _busy(path) from error
        if _is_at(path, file):
            return file
        file.close()


def _is_at(path: Path, file: BinaryIO) -> bool:
    """Tell whether an open file still has this name; its last holder may have renamed it before giving up the lock."""
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False


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
