"""Brings back every conversation that can still be read of a damaged file.

The damaged file is kept, never repaired in place. Each step can be cut off by a crash: the new file is complete before
the damaged one is moved aside, and `finish_interrupted` ends a move that was begun.
"""

import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from app.chat.backup import backups
from app.chat.migrations import MIGRATIONS, migrate, schema_version
from app.core.sqlite import is_damage, open_reader, open_writer, transaction

_Row = Sequence[Any]
_GIVE_UP_AFTER = 100_000  # ids in a row that hold nothing readable

_TABLES = {
    "conversations": "id, title, model, created_at, updated_at, leaf_id, deleted_at",
    "messages": "id, conversation_id, parent_id, role, text, state, created_at, details",
}


def recover_if_damaged(path: Path, now: Callable[[], float] = time.time) -> str:
    """Check the file; when it is damaged, put it aside and write what can be read anew.

    Returns a sentence for the user, empty when the file is whole or new. Raises sqlite3.Error when it cannot be opened
    for another reason than damage.
    """
    if not path.exists() or _is_whole(path):
        return ""
    fresh = _recovered(path)
    part = fresh.with_name(fresh.name + ".part")
    for suffix in ("", "-wal", "-shm"):
        Path(f"{part}{suffix}").unlink(missing_ok=True)
    n_conversations, n_messages = _copy_readable([path, *backups(path)[:1]], part)
    part.replace(fresh)
    aside = path.with_name(f"{path.stem}.damaged-{time.strftime('%Y%m%d-%H%M%S', time.localtime(now()))}{path.suffix}")
    _swap(path, fresh, aside)
    found = f"{n_messages} messages in {n_conversations} conversations were brought back"
    origin = "from it and from the last backup" if backups(path) else "from it"
    return f"The file of conversations was damaged: {found} {origin}. The damaged file is kept as {aside.name}."


def finish_interrupted(path: Path) -> None:
    """End the putting-aside of a damaged file that a crash cut off."""
    fresh = _recovered(path)
    if fresh.exists():
        _swap(path, fresh, path.with_name(f"{path.stem}.damaged-before-crash{path.suffix}"))


def _recovered(path: Path) -> Path:
    return path.with_name(f"{path.stem}.recovered{path.suffix}")


def _swap(path: Path, fresh: Path, aside: Path) -> None:
    for suffix in ("-wal", "-shm", ""):  # the log first: it must never meet the new file
        with suppress(FileNotFoundError):
            Path(f"{path}{suffix}").replace(f"{aside}{suffix}")
    fresh.replace(path)


def _is_whole(path: Path) -> bool:
    if path.stat().st_size == 0:
        return not Path(f"{path}-wal").exists()  # a new file has no log yet
    try:
        with closing(open_reader(path)) as reader:
            return bool(reader.execute("PRAGMA quick_check(1)").fetchone() == ("ok",))
    except sqlite3.Error as error:
        if is_damage(error):
            return False
        raise


def _copy_readable(files: Sequence[Path], target: Path) -> tuple[int, int]:
    """Write a new database with every row that can be read; returns how many conversations and messages.

    Of a row that stands in several files the first wins: ids are never used again.
    """
    writer = open_writer(target, every_commit_on_disk=True)
    try:
        migrate(writer, target)
        writer.execute("PRAGMA foreign_keys=OFF")
        with transaction(writer):
            for file in files:
                for table, columns in _TABLES.items():
                    for row in _readable(file, table, columns):
                        _insert(writer, table, columns, row)
            _mend_links(writer)
        writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        counts = [writer.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in _TABLES]
    finally:
        writer.close()
    return counts[0], counts[1]


def _insert(writer: sqlite3.Connection, table: str, columns: str, row: _Row) -> None:
    marks = ", ".join("?" for _ in row)
    with suppress(sqlite3.IntegrityError):  # it is there already, or its bytes were hit and break a rule of the table
        writer.execute(f"INSERT INTO {table} ({columns}) VALUES ({marks})", tuple(row))


def _mend_links(writer: sqlite3.Connection) -> None:
    """Give what hangs in the air a place: a message whose parent is lost follows the one stored before it."""
    writer.execute(
        """INSERT INTO conversations (id, title, model, created_at, updated_at)
           SELECT conversation_id, 'Recovered', '', min(created_at), max(created_at) FROM messages
           WHERE conversation_id NOT IN (SELECT id FROM conversations) GROUP BY conversation_id"""
    )
    writer.execute(
        """UPDATE messages SET parent_id = (
               SELECT max(earlier.id) FROM messages AS earlier
               WHERE earlier.conversation_id = messages.conversation_id AND earlier.id < messages.id)
           WHERE parent_id NOT IN (SELECT id FROM messages)"""
    )
    writer.execute(
        """UPDATE conversations SET leaf_id = (SELECT max(id) FROM messages WHERE conversation_id = conversations.id)
           WHERE leaf_id IS NULL OR leaf_id NOT IN (SELECT id FROM messages)"""
    )


def _readable(path: Path, table: str, columns: str) -> Iterator[_Row]:
    """Yield the rows of a table in order of id, passing over those that lie on damaged pages."""
    try:
        reader = open_reader(path)
        reader.text_factory = lambda raw: raw.decode("utf-8", errors="replace")
    except sqlite3.Error:
        return
    try:
        if not 0 < _version(reader) <= len(MIGRATIONS):
            return
        yield from _walk_by_id(reader, f"SELECT {columns} FROM {table}")
    finally:
        reader.close()


def _version(reader: sqlite3.Connection) -> int:
    try:
        return schema_version(reader)
    except sqlite3.Error:
        return 0


def _walk_by_id(reader: sqlite3.Connection, query: str) -> Iterator[_Row]:
    last_id = 0
    misses = 0
    while misses < _GIVE_UP_AFTER:
        try:
            row = reader.execute(f"{query} WHERE id > ? ORDER BY id LIMIT 1", (last_id,)).fetchone()
        except sqlite3.Error:
            last_id, misses = last_id + 1, misses + 1
            continue
        if row is None:
            return
        misses = 0
        last_id = max(last_id + 1, int(row[0]))
        yield row
