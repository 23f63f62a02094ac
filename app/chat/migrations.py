"""The numbered steps that bring a database of conversations to today's form.

A released step is never edited: add another. `user_version` counts the steps a file has gone through.
"""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from app.core.sqlite import back_up, open_reader, transaction


def _first(connection: sqlite3.Connection) -> None:
    connection.execute(
        """CREATE TABLE conversations (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            title TEXT NOT NULL,
            model TEXT NOT NULL,
            created_at REAL NOT NULL,
            updated_at REAL NOT NULL,
            leaf_id INTEGER REFERENCES messages (id) ON DELETE SET NULL,
            deleted_at REAL)"""
    )
    connection.execute(
        """CREATE TABLE messages (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            conversation_id INTEGER NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
            parent_id INTEGER REFERENCES messages (id) DEFERRABLE INITIALLY DEFERRED,
            role TEXT NOT NULL CHECK (role IN ('system', 'user', 'assistant', 'tool')),
            text TEXT NOT NULL,
            state TEXT NOT NULL CHECK (state IN ('complete', 'streaming', 'stopped', 'failed')),
            created_at REAL NOT NULL,
            details TEXT NOT NULL)"""
    )
    connection.execute("CREATE INDEX messages_by_parent ON messages (conversation_id, parent_id)")
    connection.execute("CREATE INDEX messages_streaming ON messages (state) WHERE state = 'streaming'")
    connection.execute("CREATE INDEX messages_children ON messages (parent_id)")


MIGRATIONS: tuple[Callable[[sqlite3.Connection], None], ...] = (_first,)


def schema_version(connection: sqlite3.Connection) -> int:
    """Return how many steps this file has gone through."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def stored_version(path: Path) -> int:
    """Return a file's version without changing anything; 0 when there is no file yet."""
    if not path.exists() or path.stat().st_size == 0:
        return 0
    with closing(open_reader(path)) as reader:
        return schema_version(reader)


def migrate(
    connection: sqlite3.Connection,
    path: Path,
    steps: tuple[Callable[[sqlite3.Connection], None], ...] = MIGRATIONS,
) -> None:
    """Take the steps that are missing, each in one transaction, with a copy of the file beside it before each.

    The copy of a file at version N is NAME.v<N>.db; a new file needs none.
    """
    for version in range(schema_version(connection), len(steps)):
        if version:
            back_up(connection, path.with_name(f"{path.stem}.v{version}{path.suffix}"))
        with transaction(connection):
            steps[version](connection)
            connection.execute(f"PRAGMA user_version = {version + 1}")
