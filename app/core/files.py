"""Writing files so that a kill or a full disk leaves the old one whole."""

import os
import shutil
import threading
from pathlib import Path

from app.core.errors import NotEnoughDisk
from app.core.units import format_size


def write_atomic(path: Path, data: bytes) -> None:
    """Replace `path` with `data` in one step: write a part beside it, flush, rename, flush the folder.

    Several processes and threads may do so at the same time: each has a part of its own, the last one's data stay.
    """
    part = path.with_name(f"{path.name}.{os.getpid()}-{threading.get_native_id()}.part")
    try:
        with part.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise NotEnoughDisk(
            f"Cannot write {path} ({error.strerror or error}).",
            hint="Free some space or choose another folder.",
        ) from error


def sync_folder(folder: Path) -> None:
    """Flush a folder's entries to disk where the system can (POSIX)."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def require_disk(folder: Path, needed_bytes: int, purpose: str) -> None:
    """Raise NotEnoughDisk, with both numbers, unless `folder` has room for `needed_bytes`."""
    free_bytes = shutil.disk_usage(folder).free
    if free_bytes < needed_bytes:
        raise NotEnoughDisk(
            f"{purpose} needs {format_size(needed_bytes)}; {folder} has {format_size(free_bytes)} free.",
            hint=f"Free {format_size(needed_bytes - free_bytes)} or choose a folder on another disk.",
        )
