"""A copy of the conversations once a day, for the day that the file itself is hit."""

import sqlite3
import time
from contextlib import suppress
from pathlib import Path

from app.core.errors import NotEnoughDisk
from app.core.files import require_disk
from app.core.sqlite import back_up

KEPT = 3


def back_up_daily(connection: sqlite3.Connection, path: Path, now: float) -> None:
    """Copy the conversations to backups/ unless today's copy is there; the newest three copies stay.

    A copy that cannot be made (no room) is left out: it must not keep the conversations shut.
    """
    target = _folder(path) / f"{path.stem}-{time.strftime('%Y%m%d', time.localtime(now))}{path.suffix}"
    if target.exists() or connection.execute("SELECT NOT EXISTS (SELECT 1 FROM messages)").fetchone()[0]:
        return
    with suppress(OSError, sqlite3.Error, NotEnoughDisk):
        target.parent.mkdir(mode=0o700, exist_ok=True)
        require_disk(target.parent, 3 * path.stat().st_size, "A backup of the conversations")
        back_up(connection, target)
        for old in backups(path)[KEPT:]:
            old.unlink()


def backups(path: Path) -> list[Path]:
    """Return the copies there are, the newest first."""
    return sorted(_folder(path).glob(f"{path.stem}-????????{path.suffix}"), reverse=True)


def _folder(path: Path) -> Path:
    return path.with_name("backups")
