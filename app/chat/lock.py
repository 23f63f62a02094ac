"""One process at a time owns the conversations."""

from pathlib import Path

import filelock

from app.core.errors import Busy, NotEnoughDisk


class OwnerLock:
    """A lock file beside the conversations; the system frees it when its owner ends, however it ends."""

    def __init__(self, path: Path) -> None:
        """Take the lock of `path`; raises Busy when another process has it, NotEnoughDisk when it cannot be made."""
        self._lock = filelock.FileLock(path.with_name(path.name + ".lock"), thread_local=False)
        try:
            self._lock.acquire(timeout=0)
        except filelock.Timeout as error:
            raise Busy(
                f"Another Pronk has the conversations in {path.parent} open.",
                hint="Use the window that is open already, or close it and try again.",
            ) from error
        except OSError as error:
            raise NotEnoughDisk(
                f"Cannot lock the conversations in {path.parent} ({error.strerror or error}).",
                hint="Make the folder writable, or choose another: pronk --home DIR.",
            ) from error

    def release(self) -> None:
        """Let others have it."""
        self._lock.release()
