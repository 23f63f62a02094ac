"""SQLite opened in the two ways that Pronk needs, and its errors turned into ours."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from app.core.errors import AppError, BadFile, Bug, Busy, NotEnoughDisk

_NO_WRITING = {
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_AUTH,
}
_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT}


def open_writer(path: Path, every_commit_on_disk: bool) -> sqlite3.Connection:
    """Open a database for its one writer: write-ahead log, foreign keys, transactions begun by hand.

    With `every_commit_on_disk` a commit survives a power cut, else only a kill of the process.
    """
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute(f"PRAGMA synchronous={'FULL' if every_commit_on_disk else 'NORMAL'}")
        connection.execute("PRAGMA checkpoint_fullfsync=ON")
        connection.execute("PRAGMA foreign_keys=ON")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def open_reader(path: Path) -> sqlite3.Connection:
    """Open a database to read only, also where nothing can be written beside it."""
    connection = _connect_uri(path, "mode=ro")
    try:
        connection.execute("SELECT count(*) FROM sqlite_master")
    except sqlite3.Error as error:
        connection.close()
        if not cannot_write(error):
            raise
        connection = _connect_uri(path, "immutable=1")
    return connection


def is_damage(error: sqlite3.Error) -> bool:
    """Whether SQLite says that the file itself is broken."""
    return _code(error) in _DAMAGED


def cannot_write(error: sqlite3.Error) -> bool:
    """Whether SQLite found no room, or may not write."""
    return _code(error) in _NO_WRITING


def app_error(error: sqlite3.Error, path: Path) -> AppError:
    """Return the error for the user that SQLite's stands for."""
    code = _code(error)
    if cannot_write(error):
        return NotEnoughDisk(
            f"Cannot write {path} ({error}).",
            hint="Free some space or make the folder writable, then try again; nothing on screen is lost.",
        )
    if code in _BUSY:
        return Busy(f"{path} is in use ({error}).", hint="Close other programs that read it and try again.")
    if code in _DAMAGED:
        return BadFile(f"{path} is damaged ({error}).", hint="Start Pronk again; it recovers what can be read.")
    return Bug(f"{path} was used wrongly ({error}).", hint="This is a fault in Pronk; please report it.")


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Do everything inside or nothing."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):  # SQLite may have rolled back by itself
            connection.execute("ROLLBACK")
        raise


def back_up(connection: sqlite3.Connection, target: Path) -> None:
    """Copy the whole database to `target`, one file without a log, in one step."""
    part = target.with_name(target.name + ".part")
    part.unlink(missing_ok=True)
    copy = sqlite3.connect(part)
    try:
        connection.backup(copy)
        copy.execute("PRAGMA journal_mode=DELETE")
    finally:
        copy.close()
    part.replace(target)


def _code(error: sqlite3.Error) -> int:
    """Return SQLite's primary result code, 0 when the error is Python's own."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def _connect_uri(path: Path, option: str) -> sqlite3.Connection:
    address = f"{path.absolute().as_uri()}?{option}"
    return sqlite3.connect(address, uri=True, isolation_level=None, check_same_thread=False)
