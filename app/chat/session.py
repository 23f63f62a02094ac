"""One connection to the conversations, shared by threads."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from app.chat.lock import OwnerLock
from app.core.errors import BadFile
from app.core.sqlite import app_error, transaction


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
