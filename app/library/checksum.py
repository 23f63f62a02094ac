"""The sha256 of large files, with progress and a way to stop."""

import hashlib
import threading
from collections.abc import Callable
from pathlib import Path

from app.core.errors import BadFile, Cancelled

_CHUNK_BYTES = 8 << 20


def sha256_of(path: Path, on_bytes: Callable[[int], None], cancel: threading.Event | None = None) -> str:
    """Return a file's sha256 in hex; `on_bytes` hears the length of each piece read.

    Raises BadFile when the file cannot be read, Cancelled when `cancel` is set.
    """
    digest = hashlib.sha256()
    try:
        with path.open("rb", buffering=0) as file:
            while chunk := file.read(_CHUNK_BYTES):
                if cancel and cancel.is_set():
                    raise Cancelled
                digest.update(chunk)
                on_bytes(len(chunk))
    except OSError as error:
        raise BadFile(f"Cannot read {path} ({error.strerror or error}).", hint="Check the disk it is on.") from error
    return digest.hexdigest()
