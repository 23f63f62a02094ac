"""The list of models in SQLite: a cache of the model files and places.json that a scan rebuilds.

Several commands may run at once, so the file is held under a lock from opening to closing: one connection at a time.
"""

import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, TypeVar

import filelock

from app.core.errors import Busy, NotEnoughDisk
from app.core.sqlite import app_error, cannot_write, is_damage, open_writer, transaction
from app.library.facts import ModelFacts
from app.library.facts_json import facts_from_json, facts_to_json
from app.library.names import model_name

_FORMAT = 1  # of this cache; a file of another format is emptied and filled again
_WAIT_S = 10

T = TypeVar("T")


@dataclass(frozen=True)
class IndexedModel:
    """One row of the list.

    `total_bytes` counts all files of a split model; `verified` says that the bytes matched `sha256` when they were last
    read; `fault` is why a file cannot be used.
    """

    path: Path
    name: str
    size_bytes: int
    mtime_ns: int
    total_bytes: int
    architecture: str = ""
    file_type: str = ""
    source: str = ""
    revision: str = ""
    sha256: str = ""
    verified: bool = False
    missing: bool = False
    fault: str = ""


_COLUMNS = ", ".join(field.name for field in fields(IndexedModel))  # the table's columns, in the same order


class Index:
    """The open index; made by `with_index`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        if connection.execute("PRAGMA user_version").fetchone()[0] != _FORMAT:
            _create(connection)

    def models(self) -> tuple[IndexedModel, ...]:
        """Return the list, by name."""
        rows = self._connection.execute(f"SELECT {_COLUMNS} FROM models ORDER BY name COLLATE NOCASE").fetchall()
        return tuple(_model(row) for row in rows)

    def store(self, changed: Sequence[IndexedModel], gone: Sequence[Path] = ()) -> None:
        """Write rows, replacing those of the same path, and drop others.

        A name that another command gave away in the meantime is changed.
        """
        marks = ", ".join("?" for _ in fields(IndexedModel))
        with transaction(self._connection):
            self._connection.executemany("DELETE FROM models WHERE path = ?", [(str(path),) for path in gone])
            self._connection.executemany("DELETE FROM facts WHERE path = ?", [(str(path),) for path in gone])
            names = {model.name.casefold(): model.path for model in self.models()}
            for model in changed:
                if names.get(model.name.casefold(), model.path) != model.path:
                    model = replace(model, name=model_name(model.path, names))
                names[model.name.casefold()] = model.path
                self._connection.execute(f"INSERT OR REPLACE INTO models ({_COLUMNS}) VALUES ({marks})", _row(model))

    def facts(self, path: Path, size_bytes: int, mtime_ns: int) -> ModelFacts | None:
        """Return the facts of a file if they were stored when it had this size and time of change."""
        row = self._connection.execute(
            "SELECT document FROM facts WHERE path = ? AND size_bytes = ? AND mtime_ns = ?",
            (str(path), size_bytes, mtime_ns),
        ).fetchone()
        return facts_from_json(row[0]) if row else None

    def store_facts(self, path: Path, size_bytes: int, mtime_ns: int, facts: ModelFacts) -> None:
        """Keep the facts of a file as it is now."""
        self._connection.execute(
            "INSERT OR REPLACE INTO facts (path, size_bytes, mtime_ns, document) VALUES (?, ?, ?, ?)",
            (str(path), size_bytes, mtime_ns, facts_to_json(facts)),
        )


def with_index(path: Path, work: Callable[[Index], T]) -> T:
    """Run `work` on the index; a damaged file is put aside and `work` runs on an empty one.

    Where nothing can be written (a full disk), `work` runs on an index in memory, which lasts as long as it does.
    Raises Busy when another command holds the index for ten seconds, NotEnoughDisk when its lock cannot be made.
    """
    with _held(path):
        try:
            return _run(path, work)
        except sqlite3.Error as error:
            if cannot_write(error):
                return _run(Path(":memory:"), work)
            if not is_damage(error):
                raise app_error(error, path) from error
            _put_aside(path)
            return _run(path, work)


def _held(path: Path) -> AbstractContextManager[object]:
    lock = filelock.FileLock(path.with_name(path.name + ".lock"), thread_local=False)
    try:
        return lock.acquire(timeout=_WAIT_S)
    except filelock.Timeout as error:
        raise Busy(f"Another command holds {path}.", hint="Wait for it to end and try again.") from error
    except OSError as error:
        raise NotEnoughDisk(
            f"Cannot write {path} ({error.strerror or error}).", hint="Make the folder writable."
        ) from error


def _run(path: Path, work: Callable[[Index], T]) -> T:
    connection = open_writer(path, every_commit_on_disk=False)
    try:
        return work(Index(connection))
    finally:
        connection.close()


def _put_aside(path: Path) -> None:
    aside = path.with_name(f"{path.stem}.damaged-{time.strftime('%Y%m%d-%H%M%S')}{path.suffix}")
    for suffix in ("-wal", "-shm", ""):
        with suppress(FileNotFoundError):
            Path(f"{path}{suffix}").replace(f"{aside}{suffix}")


def _create(connection: sqlite3.Connection) -> None:
    with transaction(connection):
        connection.execute("DROP TABLE IF EXISTS models")
        connection.execute("DROP TABLE IF EXISTS facts")
        connection.execute(
            """CREATE TABLE models (
                path TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, size_bytes INTEGER NOT NULL,
                mtime_ns INTEGER NOT NULL, total_bytes INTEGER NOT NULL, architecture TEXT NOT NULL,
                file_type TEXT NOT NULL, source TEXT NOT NULL, revision TEXT NOT NULL, sha256 TEXT NOT NULL,
                verified INTEGER NOT NULL, missing INTEGER NOT NULL, fault TEXT NOT NULL)"""
        )
        connection.execute(
            """CREATE TABLE facts (
                path TEXT PRIMARY KEY, size_bytes INTEGER NOT NULL, mtime_ns INTEGER NOT NULL,
                document TEXT NOT NULL)"""
        )
        connection.execute(f"PRAGMA user_version = {_FORMAT}")


def _model(row: Sequence[Any]) -> IndexedModel:
    values = dict(zip((field.name for field in fields(IndexedModel)), row, strict=True))
    values |= {"path": Path(row[0]), "verified": bool(values["verified"]), "missing": bool(values["missing"])}
    return IndexedModel(**values)


def _row(model: IndexedModel) -> tuple[object, ...]:
    return (str(model.path), *(getattr(model, field.name) for field in fields(model)[1:]))
