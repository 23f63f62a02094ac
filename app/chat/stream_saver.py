"""Keeps a growing answer on disk: what has come is stored within a second, also while nothing more comes."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from app.chat.values import Message, State
from app.core.errors import AppError

if TYPE_CHECKING:
    from app.chat.store import ChatStore

SAVE_EVERY_S = 0.7


class StreamSaver:
    """Stores the text of one message while it streams; finish() it, whatever happens.

    A save that fails (a full disk) does not stop the answer: `problem` keeps the error, the next save tries again.
    """

    def __init__(self, store: ChatStore, message: Message, every_s: float = SAVE_EVERY_S) -> None:
        self.problem: AppError | None = None
        self._store = store
        self._message = message
        self._every_s = every_s
        self._text: list[str] = [message.text]
        self._saved_parts = 1
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._save_now_and_then, name=f"save {message.id}", daemon=True)
        self._thread.start()

    @property
    def text(self) -> str:
        """All text so far."""
        return "".join(self._text)

    def add(self, text: str) -> None:
        """Take in streamed text; never waits for the disk."""
        self._text.append(text)

    def finish(self, state: State, details: Mapping[str, Any]) -> Message:
        """Store the whole message and its state; raises AppError when that fails."""
        self._ended.set()
        self._thread.join()
        return self._store.update(self._message.id, self.text, state, details)

    def _save_now_and_then(self) -> None:
        while not self._ended.wait(self._every_s):
            parts = len(self._text)
            if parts == self._saved_parts:
                continue
            try:
                self._store.update(self._message.id, "".join(self._text[:parts]))
                self._saved_parts, self.problem = parts, None
            except AppError as error:
                self.problem = error
