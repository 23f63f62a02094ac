"""The conversations on disk: what was stored stays stored, whatever happens to the process.

Messages form a tree: a regenerated answer or an edited question is a sibling of the first, and nothing is overwritten.
"""

import json
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from app.chat.backup import back_up_daily
from app.chat.lock import OwnerLock
from app.chat.migrations import MIGRATIONS, migrate, stored_version
from app.chat.recovery import finish_interrupted, recover_if_damaged
from app.chat.session import Session
from app.chat.values import Conversation, Message, Role, State
from app.core.errors import BadFile, BadRequest
from app.core.sqlite import app_error, open_reader, open_writer

_CONVERSATION = "id, title, model, created_at, updated_at, leaf_id, deleted_at"
_MESSAGE = "id, conversation_id, parent_id, role, text, state, created_at, details"


class ChatStore:
    """Conversations in one SQLite file; any thread may call, one at a time gets in.

    `notice` is a sentence for the user about what opening found (damage, a newer file), else empty. A store whose
    `writable` is False refuses changes. A change is on disk when its call returns; NotEnoughDisk: nothing was changed.
    """

    def __init__(self, session: Session, notice: str = "", clock: Callable[[], float] = time.time) -> None:
        self.notice = notice
        self._session = session
        self._rows = session.rows
        self._change = session.change
        self._clock = clock

    @classmethod
    def open(cls, path: Path) -> "ChatStore":
        """Open or create the conversations as their owner.

        Raises Busy when another process owns them, NotEnoughDisk when they cannot be written. A damaged file is put
        aside and what can be read of it is kept; a file of a newer Pronk is opened to read only: `notice` tells both.
        """
        lock = OwnerLock(path)
        try:
            finish_interrupted(path)
            notice = recover_if_damaged(path)
            version = stored_version(path)
            if version > len(MIGRATIONS):
                lock.release()
                return cls(Session(path, open_reader(path)), _newer(path, version))
            return cls(Session(path, _ready(path), lock), notice)
        except sqlite3.Error as error:
            lock.release()
            raise app_error(error, path) from error
        except BaseException:
            lock.release()
            raise

    @classmethod
    def read_only(cls, path: Path) -> "ChatStore":
        """Open the conversations to read, also while another process owns them; raises BadFile when there are none."""
        try:
            version = stored_version(path)
            if version == 0:
                raise BadFile(f"{path} holds no conversations.", hint="Open the window once, or choose another --home.")
            notice = _newer(path, version) if version > len(MIGRATIONS) else ""
            return cls(Session(path, open_reader(path)), notice)
        except sqlite3.Error as error:
            raise BadFile(
                f"Cannot read {path} ({error}).", hint="Open the window; it recovers a damaged file."
            ) from error

    @property
    def writable(self) -> bool:
        """Whether this store may change anything."""
        return self._session.writable

    def close(self) -> None:
        """Flush and let another process have the conversations; a second call does nothing."""
        self._session.close()

    def __enter__(self) -> "ChatStore":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def conversations(self, deleted: bool = False) -> tuple[Conversation, ...]:
        """Return the conversations, the last used first; with `deleted`, those in the trash."""
        state = "NOT NULL" if deleted else "NULL"
        rows = self._rows(
            f"SELECT {_CONVERSATION} FROM conversations WHERE deleted_at IS {state} ORDER BY updated_at DESC, id DESC"
        )
        return tuple(Conversation(*row) for row in rows)

    def conversation(self, conversation_id: int) -> Conversation:
        """Return one conversation; raises BadRequest when there is none."""
        rows = self._rows(f"SELECT {_CONVERSATION} FROM conversations WHERE id = ?", conversation_id)
        if not rows:
            raise BadRequest(f"There is no conversation {conversation_id}.")
        return Conversation(*rows[0])

    def create(self, title: str = "", model: str = "") -> Conversation:
        """Begin a conversation."""
        now = self._clock()
        with self._change() as connection:
            cursor = connection.execute(
                "INSERT INTO conversations (title, model, created_at, updated_at) VALUES (?, ?, ?, ?)",
                (_storable(title), _storable(model), now, now),
            )
        return self.conversation(int(cursor.lastrowid or 0))

    def rename(self, conversation_id: int, title: str) -> Conversation:
        """Give a conversation another title."""
        return self._set(conversation_id, "title", _storable(title))

    def set_model(self, conversation_id: int, model: str) -> Conversation:
        """Note which model a conversation uses."""
        return self._set(conversation_id, "model", _storable(model))

    def delete(self, conversation_id: int) -> Conversation:
        """Put a conversation into the trash; `restore` brings it back whole."""
        return self._set(conversation_id, "deleted_at", self._clock())

    def restore(self, conversation_id: int) -> Conversation:
        """Take a conversation out of the trash."""
        return self._set(conversation_id, "deleted_at", None)

    def purge_trash(self, before: float) -> int:
        """Remove for good what was deleted before that time (seconds since 1970); returns how many conversations."""
        with self._change() as connection:
            return connection.execute("DELETE FROM conversations WHERE deleted_at < ?", (before,)).rowcount

    def path(self, conversation_id: int) -> tuple[Message, ...]:
        """Return the messages of the branch that is shown, the first one first."""
        rows = self._rows(
            f"""WITH RECURSIVE branch (message_id, depth) AS (
                    SELECT leaf_id, 0 FROM conversations WHERE id = ? AND leaf_id IS NOT NULL
                    UNION ALL
                    SELECT messages.parent_id, depth + 1 FROM messages JOIN branch ON messages.id = message_id
                    WHERE messages.parent_id IS NOT NULL)
                SELECT {_MESSAGE} FROM branch JOIN messages ON messages.id = message_id ORDER BY depth DESC""",
            conversation_id,
        )
        return tuple(_message(row) for row in rows)

    def message(self, message_id: int) -> Message:
        """Return one message; raises BadRequest when there is none."""
        rows = self._rows(f"SELECT {_MESSAGE} FROM messages WHERE id = ?", message_id)
        if not rows:
            raise BadRequest(f"There is no message {message_id}.")
        return _message(rows[0])

    def add(
        self,
        conversation_id: int,
        parent_id: int | None,
        role: Role,
        text: str,
        state: State = "complete",
        details: Mapping[str, Any] | None = None,
    ) -> Message:
        """Store a message under its parent and show the branch that ends with it."""
        now = self._clock()
        with self._change() as connection:
            self._require_parent(conversation_id, parent_id)
            cursor = connection.execute(
                "INSERT INTO messages (conversation_id, parent_id, role, text, state, created_at, details) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                (conversation_id, parent_id, role, _storable(text), state, now, _document(details or {})),
            )
            connection.execute(
                "UPDATE conversations SET leaf_id = ?, updated_at = ? WHERE id = ?",
                (cursor.lastrowid, now, conversation_id),
            )
        return self.message(int(cursor.lastrowid or 0))

    def update(
        self, message_id: int, text: str, state: State | None = None, details: Mapping[str, Any] | None = None
    ) -> Message:
        """Store what has become of a message; state and details stay when they are None."""
        with self._change() as connection:
            connection.execute(
                "UPDATE messages SET text = ?, state = coalesce(?, state), details = coalesce(?, details) WHERE id = ?",
                (_storable(text), state, None if details is None else _document(details), message_id),
            )
        return self.message(message_id)

    def siblings(self, message_id: int) -> tuple[Message, ...]:
        """Return a message and its alternatives under the same parent, the oldest first."""
        rows = self._rows(
            f"""SELECT {_MESSAGE} FROM messages
                WHERE (conversation_id, coalesce(parent_id, 0)) =
                      (SELECT conversation_id, coalesce(parent_id, 0) FROM messages WHERE id = ?)
                ORDER BY id""",
            message_id,
        )
        return tuple(_message(row) for row in rows)

    def select(self, message_id: int) -> tuple[Message, ...]:
        """Show the branch through a message, down to its newest end, and return it."""
        with self._change() as connection:
            message = self.message(message_id)
            leaf_id = message_id
            while (child := self._newest_child(leaf_id)) is not None:
                leaf_id = child
            connection.execute("UPDATE conversations SET leaf_id = ? WHERE id = ?", (leaf_id, message.conversation_id))
        return self.path(message.conversation_id)

    def _newest_child(self, message_id: int) -> int | None:
        (newest,) = self._rows("SELECT max(id) FROM messages WHERE parent_id = ?", message_id)[0]
        return None if newest is None else int(newest)

    def _require_parent(self, conversation_id: int, parent_id: int | None) -> None:
        self.conversation(conversation_id)
        if parent_id is not None and self.message(parent_id).conversation_id != conversation_id:
            raise BadRequest(f"Message {parent_id} is not part of conversation {conversation_id}.")

    def _set(self, conversation_id: int, column: str, value: str | float | None) -> Conversation:
        with self._change() as connection:
            connection.execute(f"UPDATE conversations SET {column} = ? WHERE id = ?", (value, conversation_id))
        return self.conversation(conversation_id)


def _ready(path: Path) -> sqlite3.Connection:
    """Open the file for writing in today's form; answers that a crash cut off count as stopped, their text is kept."""
    connection = open_writer(path, every_commit_on_disk=True)
    try:
        with suppress(OSError):  # a file system without owners
            path.chmod(0o600)  # nobody else's to read; the log beside it gets the same
        migrate(connection, path)
        connection.execute("UPDATE messages SET state = 'stopped' WHERE state = 'streaming'")
        back_up_daily(connection, path, time.time())
    except BaseException:
        connection.close()
        raise
    return connection


def _newer(path: Path, version: int) -> str:
    return (
        f"{path} was written by a newer Pronk (form {version}; this one knows {len(MIGRATIONS)}): "
        "its conversations can be read, not changed."
    )


def _message(row: Sequence[Any]) -> Message:
    (id_, conversation_id, parent_id, role, text, state, created_at, document) = row
    return Message(id_, conversation_id, parent_id, role, text, state, created_at, _details(document))


def _details(document: str) -> Mapping[str, Any]:
    try:
        details = json.loads(document)
    except ValueError:  # a recovered row may hold anything
        return {}
    return details if isinstance(details, dict) else {}


def _document(details: Mapping[str, Any]) -> str:
    return json.dumps(dict(details))


def _storable(text: str) -> str:
    """Return the text without halves of surrogate pairs, which no file can hold."""
    return text.encode("utf-8", errors="replace").decode("utf-8")
