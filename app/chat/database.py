"""Opens SQLite files the one way that chats need, and turns SQLite's errors into ours."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from app.chat.lock import OwnerLock
from app.core.errors import AppError, BadFile, Busy, NotEnoughDisk

_FULL = {
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_AUTH,
}
_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT}


def open_writer(path: Path) -> sqlite3.Connection:
    """Open a database for the one writer: WAL, flushed at every commit, foreign keys enforced."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA checkpoint_fullfsync=ON")
        connection.execute("PRAGMA foreign_keys=ON")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def open_reader(path: Path) -> sqlite3.Connection:
    """Open a database to read only, also where nothing can be written beside it."""
    connection = sqlite3.connect(_uri(path, "mode=ro"), uri=True, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("SELECT count(*) FROM sqlite_master")
    except sqlite3.OperationalError as error:
        connection.close()
        if _code(error) not in _FULL:
            raise
        connection = sqlite3.connect(_uri(path, "immutable=1"), uri=True, isolation_level=None, check_same_thread=False)
    return connection


def is_damage(error: sqlite3.Error) -> bool:
    """Whether SQLite says that the file itself is broken."""
    return _code(error) in _DAMAGED


def app_error(error: sqlite3.Error, path: Path) -> AppError:
    """Return the error for the user that SQLite's stands for."""
    code = _code(error)
    if code in _FULL:
        return NotEnoughDisk(
            f"Cannot write {path} ({error}).",
            hint="Free some space or make the folder writable, then try again; nothing on screen is lost.",
        )
    if code in _BUSY:
        return Busy(f"{path} is in use ({error}).", hint="Close other programs that read it and try again.")
    return BadFile(f"{path} cannot be used ({error}).", hint="Start Pronk again; it recovers what can be read.")


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


class Session:
    """One connection that any thread may use, one at a time; without a lock of ownership it refuses to write."""

    def __init__(self, path: Path, connection: sqlite3.Connection, lock: OwnerLock | None = None) -> None:
        self._path = path
        self._connection = connection
        self._owner_lock = lock
        self._turn = threading.RLock()

    @property
    def writable(self) -> bool:
        """Whether this process owns the file."""
        return self._owner_lock is not None

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Return what a query finds."""
        with self._turn, self._own_errors():
            return self._connection.execute(query, values).fetchall()

    @contextmanager
    def change(self) -> Iterator[sqlite3.Connection]:
        """Do everything inside or nothing; it is on disk when this ends."""
        if not self.writable:
            raise BadFile(f"{self._path} was opened to read only.", hint="Close other windows, or update Pronk.")
        with self._turn, self._own_errors(), transaction(self._connection):
            yield self._connection

    def close(self) -> None:
        """Close the connection and give up the ownership."""
        with self._turn:
            self._connection.close()
            if self._owner_lock:
                self._owner_lock.release()
                self._owner_lock = None

    @contextmanager
    def _own_errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise app_error(error, self._path) from error


def back_up(connection: sqlite3.Connection, target: Path) -> None:
    """Copy the whole database to `target` in one step, whatever is being written."""
    part = target.with_name(target.name + ".part")
    part.unlink(missing_ok=True)
    copy = sqlite3.connect(part)
    try:
        connection.backup(copy)
    finally:
        copy.close()
    part.replace(target)


def _code(error: sqlite3.Error) -> int:
    """Return SQLite's primary result code, 0 when the error is Python's own."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def _uri(path: Path, option: str) -> str:
    return f"{path.absolute().as_uri()}?{option}"
