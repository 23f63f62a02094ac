"""Files that are as long as a model but hold its header only: the rest is a hole that takes no room on the disk."""

import os
import sys
from pathlib import Path
from typing import BinaryIO

_HOLE_TEST_BYTES = 1 << 20


def write_sparse(target: Path, head: bytes, size_bytes: int) -> None:
    """Write a file of `size_bytes` that begins with `head`, whole or not at all; raises OSError.

    Where a hole would fill the disk (FAT, some network folders) it raises, too: models have hundreds of GB.
    """
    part = target.with_name(f"{target.name}.{os.getpid()}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            _set_sparse(file)
            file.write(head)
            file.flush()
            _require_holes(file, min(size_bytes, len(head) + _HOLE_TEST_BYTES))
            file.truncate(size_bytes)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def _set_sparse(file: BinaryIO) -> None:
    """Tell NTFS that holes take no room; elsewhere files are sparse by themselves."""
    if sys.platform == "win32":
        import ctypes
        import msvcrt

        handle, set_sparse = msvcrt.get_osfhandle(file.fileno()), 0x900C4  # FSCTL_SET_SPARSE (winioctl.h)
        ctypes.windll.kernel32.DeviceIoControl(
            handle, set_sparse, None, 0, None, 0, ctypes.byref(ctypes.c_ulong()), None
        )


def _require_holes(file: BinaryIO, size_bytes: int) -> None:
    start_bytes = file.tell()
    file.truncate(size_bytes)
    blocks = getattr(os.fstat(file.fileno()), "st_blocks", 0)
    if blocks * 512 > start_bytes + _HOLE_TEST_BYTES // 2:
        raise OSError("this file system has no sparse files")
