"""The list of conversations at the left: opened store, titles, rename, delete with undo."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from app.actions.context import Pronk
from app.chat.values import Conversation
from app.core.errors import AppError
from app.gui.chat.controller import ChatController
from app.gui.sidebar import Sidebar
from app.gui.tasks import Tasks
from app.gui.widgets.notice import Notice

if TYPE_CHECKING:
    from app.chat.store import ChatStore


class ConversationsControl(QObject):
    """Opens the store and keeps the sidebar as the store is."""

    def __init__(
        self,
        pronk: Pronk,
        tasks: Tasks,
        sidebar: Sidebar,
        controller: ChatController,
        notice: Notice,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._pronk = pronk
        self._tasks = tasks
        self._sidebar = sidebar
        self._controller = controller
        self._notice = notice
        self._store: ChatStore | None = None
        conversations = sidebar.conversations
        conversations.opened.connect(controller.open)
        conversations.renamed.connect(self.rename)
        conversations.delete_asked.connect(self.delete)
        controller.conversations_changed.connect(self.refresh)
        controller.shown.connect(conversations.set_current)

    @property
    def store(self) -> ChatStore | None:
        """The open store, None until it is open."""
        return self._store

    def start(self) -> None:
        """Open the store; until then what is sent waits in the composer."""
        path = self._pronk.home.chats_db
        self._tasks.run(lambda _: _open_store(path), done=self._on_open, failed=self._on_locked, owner=self)

    def refresh(self) -> None:
        """Show the titles as they are stored."""
        store = self._store
        if store is not None:
            show = self._sidebar.conversations.show_conversations
            self._tasks.run(lambda _: store.conversations(), done=show, owner=self)

    def rename(self, conversation_id: int, title: str) -> None:
        """Give a conversation another title."""
        store = self._store
        if store is not None:
            self._tasks.run(lambda _: store.rename(conversation_id, title), done=lambda _: self.refresh(), owner=self)

    def delete(self, conversation_id: int) -> None:
        """Put a conversation into the trash and offer to take it out again."""
        store = self._store
        if store is None:
            return
        self._controller.forget(conversation_id)
        self._tasks.run(lambda _: store.delete(conversation_id), done=self._on_deleted, owner=self)

    def close(self) -> None:
        """Close the store."""
        if self._store is not None:
            self._store.close()

    def _on_open(self, store: ChatStore) -> None:
        self._store = store
        self._controller.use_store(store)
        if store.notice:
            self._notice.show_text(store.notice, kind="warning")
        self.refresh()

    def _on_locked(self, error: AppError) -> None:
        self._notice.show_error(error, self.tr("Try again"), self.start)

    def _on_deleted(self, conversation: Conversation) -> None:
        self.refresh()
        title = conversation.title or self.tr("New chat")
        self._sidebar.notice.show_undo(self.tr("Deleted “{0}”").format(title), lambda: self._restore(conversation.id))

    def _restore(self, conversation_id: int) -> None:
        store = self._store
        if store is not None:
            self._tasks.run(
                lambda _: store.restore(conversation_id), done=lambda _: self._on_restored(conversation_id), owner=self
            )

    def _on_restored(self, conversation_id: int) -> None:
        self._sidebar.conversations.opened.emit(conversation_id)
        self.refresh()


def _open_store(path: Path) -> ChatStore:
    from app.chat.store import ChatStore

    return ChatStore.open(path)
