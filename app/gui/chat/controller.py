"""Joins the conversation page with the store and the engine: sends, stops, regenerates, edits, switches branches."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal

from app.actions import conversation as actions
from app.actions.context import Pronk
from app.chat.values import Conversation, Message
from app.core.errors import AppError, Cancelled
from app.engine.values import Answer, ChatOptions, PromptRead, ReasoningArrived, TextArrived
from app.gui.chat.live import LiveAnswer
from app.gui.chat.message_view import AssistantMessage
from app.gui.chat.page import ChatPage
from app.gui.engine_control import EngineControl, EngineState
from app.gui.tasks import Task, Tasks

if TYPE_CHECKING:
    from app.chat.store import ChatStore

Act = Callable[[actions.Talk, int, actions.OnEvent, threading.Event], Message]


@dataclass(frozen=True)
class ConversationBegun:
    """A first message made a conversation."""

    conversation: Conversation


class ChatController(QObject):
    """Keeps one conversation on the page; answers go on while another one is shown."""

    conversations_changed = Signal()
    shown = Signal(object)
    """The id of the conversation on the page, None for a new one."""

    def __init__(
        self, pronk: Pronk, page: ChatPage, tasks: Tasks, engine: EngineControl, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._pronk = pronk
        self._page = page
        self._tasks = tasks
        self._engine = engine
        self._store: ChatStore | None = None
        self._current: int | None = None
        self._visit = 0
        self._editing: int | None = None
        self._drafts: dict[int | None, str] = {}
        self._live: list[LiveAnswer] = []
        page.sent.connect(self._on_sent)
        page.stopped.connect(self.stop)
        page.edit_given_up.connect(self._end_edit)
        page.messages.regenerate_asked.connect(self.regenerate)
        page.messages.edit_asked.connect(self.begin_edit)
        page.messages.sibling_asked.connect(self.show_sibling)
        engine.changed.connect(self._on_engine_changed)
        engine.leaving.connect(self._on_engine_leaving)
        engine.died.connect(self._on_engine_died)
        engine.restarted.connect(self._on_engine_restarted)

    @property
    def current(self) -> int | None:
        """The conversation on the page."""
        return self._current

    @property
    def answering(self) -> bool:
        """Whether the conversation on the page is being answered."""
        return self._live_here() is not None

    def use_store(self, store: ChatStore) -> None:
        """Begin with an open store."""
        self._store = store

    def new(self) -> None:
        """Show an empty page; the conversation begins with its first message."""
        self._leave()
        self._visit += 1
        self._current = None
        self._page.show_empty()
        self._arrive()

    def open(self, conversation_id: int) -> None:
        """Show a conversation."""
        if conversation_id == self._current:
            return
        self._leave()
        self._visit += 1
        self._current = conversation_id
        self._arrive()
        self._reload(conversation_id)

    def forget(self, conversation_id: int) -> None:
        """Leave a conversation that was deleted."""
        for live in self._live:
            if live.conversation_id == conversation_id and live.task is not None:
                live.task.cancel()
        if conversation_id == self._current:
            self.new()

    def stop(self) -> None:
        """Stop the answer of the conversation on the page; what came is kept."""
        live = self._live_here()
        if live is not None and live.task is not None:
            live.task.cancel()

    def stop_all(self) -> None:
        """Stop every answer; the window closes."""
        for live in self._live:
            if live.task is not None:
                live.task.cancel()

    def regenerate(self, message_id: int) -> None:
        """Answer again, beside the answer that is there."""
        if not self.answering:
            self._run(lambda talk, _, emit, cancel: actions.regenerate(talk, message_id, emit, cancel), "")

    def begin_edit(self, message_id: int) -> None:
        """Put a message of the user's back into the composer; sending it asks anew beside the old one."""
        view = self._page.messages.view(message_id)
        if view is not None and not self.answering:
            if self._editing is None:
                self._drafts[self._current] = self._page.draft
            self._editing = message_id
            self._page.begin_edit(view.message.text)

    def show_sibling(self, message_id: int) -> None:
        """Show the branch through another version of a message."""
        store = self._store
        if store is not None and not self.answering:
            self._tasks.run(lambda _: _branch(store, store.select(message_id)), done=self._on_branch, owner=self)

    def _on_sent(self, text: str) -> None:
        if self._editing is not None:
            editing = self._editing
            self._end_edit()
            self._run(lambda talk, _, emit, cancel: actions.edit(talk, editing, text, emit, cancel), text)
        else:
            self._run(lambda talk, here, emit, cancel: actions.send(talk, here, text, emit, cancel), text)

    def _run(self, act: Act, draft: str) -> None:
        store = self._store
        if store is None:
            self._page.give_back(draft)
            return
        self._engine.ensure()
        live = LiveAnswer(self._visit, conversation_id=self._current, draft=draft)

        def generate(messages: actions.ChatMessages, emit: actions.OnEvent, cancel: threading.Event) -> Answer:
            return self._generate(live, messages, emit, cancel)

        talk = actions.Talk(store, generate, self._engine.state.model, self._pronk.settings().system_prompt)

        def work(task: Task) -> Message:
            here = live.conversation_id
            if here is None:
                begun = actions.new_conversation(store, draft, talk.model)
                here = begun.id
                task.emit(ConversationBegun(begun))
            return act(talk, here, task.emit, task.cancelled)

        self._live.append(live)
        live.task = self._tasks.run(
            work,
            done=lambda message: self._on_finished(live, message),
            failed=lambda error: self._on_failed(live, error),
            event=lambda event: self._on_event(live, event),
            owner=self,
        )
        self._page.set_answering(True)

    def _generate(
        self, live: LiveAnswer, messages: actions.ChatMessages, on_event: actions.OnEvent, cancel: threading.Event
    ) -> Answer:
        settings = self._pronk.settings()
        options = ChatOptions(max_tokens=settings.max_tokens, temperature=settings.temperature)
        client = self._engine.client(cancel)
        live.asked = True
        try:
            return client.chat(messages, options, on_event, cancel)
        except AppError:
            if cancel.is_set():  # the engine left before the stop arrived
                raise Cancelled from None
            raise

    def _on_event(self, live: LiveAnswer, event: Any) -> None:
        here = self._is_here(live)
        view = self._view_of(live) if here else None
        match event:
            case ConversationBegun():
                live.conversation_id = event.conversation.id
                if here:
                    self._current = event.conversation.id
                    self.shown.emit(self._current)
                self.conversations_changed.emit()
            case actions.MessageStored():
                self._on_stored(live, event.message, here)
            case PromptRead():
                live.waiting = False
                if view is not None and not live.text:
                    view.set_status(self._reading(event))
            case TextArrived():
                live.waiting = False
                live.text.append(event.text)
                if view is not None:
                    view.append(event.text)
            case ReasoningArrived():
                live.waiting = False
                live.reasoning.append(event.text)
                if view is not None:
                    view.append_reasoning(event.text)

    def _on_stored(self, live: LiveAnswer, message: Message, here: bool) -> None:
        live.draft = ""
        if message.role == "assistant":
            live.message = message
        if here:
            self._page.add_message(message)
            self._refresh_siblings(message)
            self._show_waiting(self._engine.state)

    def _on_finished(self, live: LiveAnswer, message: Message) -> None:
        self._end(live)
        if message.state == "complete":
            self._page.notice.clear_error()
        view = self._view_of(live) if live.conversation_id == self._current else None
        if view is not None:
            view.finish(message)
            if message.state == "failed" and self._engine.state.kind == "restarting":
                view.show_engine_trouble(self._trouble(), self._engine.state.reason)
        self.conversations_changed.emit()

    def _on_failed(self, live: LiveAnswer, error: AppError) -> None:
        """Storing failed: give back words that are on no disk, keep what is on the screen, and say why."""
        self._end(live)
        if live.conversation_id == self._current:
            self._page.give_back(live.draft)
            view = self._view_of(live)
            if view is not None:
                view.finish_unsaved()
        self._page.notice.show_error(error)

    def _end(self, live: LiveAnswer) -> None:
        self._live.remove(live)
        self._page.set_answering(self.answering)

    def _on_engine_leaving(self) -> None:
        """Stop what the engine writes before another model takes its place; what waits for an engine goes on."""
        for live in self._live:
            if live.asked and live.task is not None:
                live.task.cancel()

    def _on_engine_changed(self, state: EngineState) -> None:
        if state.kind == "ready" and self._store is not None:
            self._page.notice.clear_error()
        self._show_waiting(state)

    def _on_engine_died(self, reason: str) -> None:
        for view in self._page.messages.views[-1:]:
            if isinstance(view, AssistantMessage) and view.message.state == "failed":
                view.show_engine_trouble(self._trouble(), reason)

    def _on_engine_restarted(self) -> None:
        for view in self._page.messages.views[-1:]:
            if isinstance(view, AssistantMessage) and view.message.state == "failed":
                view.show_engine_trouble(self.tr("The engine had stopped; it is running again."))

    def _show_waiting(self, state: EngineState) -> None:
        live = self._live_here()
        view = self._view_of(live) if live is not None and live.waiting else None
        if view is None:
            return
        if state.kind == "loading":
            view.set_status(self.tr("Loading {0}… {1} %").format(state.title, state.percent))
        elif state.kind == "restarting":
            view.set_status(self._trouble())
        else:
            view.set_status(self.tr("Reading…"))

    def _trouble(self) -> str:
        return self.tr("The engine stopped. Starting it again…")

    def _reading(self, event: PromptRead) -> str:
        if event.total_tokens <= 0:
            return self.tr("Reading…")
        percent = round(100 * event.done_tokens / event.total_tokens)
        return self.tr("Reading your text… {0} %").format(percent)

    def _live_here(self) -> LiveAnswer | None:
        return next((live for live in self._live if self._is_here(live)), None)

    def _is_here(self, live: LiveAnswer) -> bool:
        """Whether its conversation is on the page; one that has not begun is known by the visit that asked."""
        if live.conversation_id is None:
            return live.visit == self._visit
        return live.conversation_id == self._current

    def _view_of(self, live: LiveAnswer) -> AssistantMessage | None:
        view = self._page.messages.view(live.message.id) if live.message is not None else None
        return view if isinstance(view, AssistantMessage) else None

    def _leave(self) -> None:
        if self._editing is None:
            self._drafts[self._current] = self._page.draft
        self._editing = None

    def _arrive(self) -> None:
        self._page.begin_draft(self._drafts.pop(self._current, ""))
        self._page.set_answering(self.answering)
        self.shown.emit(self._current)

    def _end_edit(self) -> None:
        self._editing = None
        self._page.begin_draft(self._drafts.pop(self._current, ""))

    def _reload(self, conversation_id: int) -> None:
        store = self._store
        if store is not None:
            self._tasks.run(lambda _: _branch(store, store.path(conversation_id)), done=self._on_branch, owner=self)

    def _on_branch(self, branch: Branch) -> None:
        if not branch.messages:
            self._page.show_empty()
            return
        if branch.messages[0].conversation_id != self._current:
            return
        self._page.show_messages(branch.messages, branch.sibling_ids)
        live = self._live_here()
        view = self._view_of(live) if live is not None else None
        if live is not None and view is not None:
            view.catch_up("".join(live.text), "".join(live.reasoning))
            self._show_waiting(self._engine.state)

    def _refresh_siblings(self, message: Message) -> None:
        store = self._store
        if store is None:
            return

        def show(siblings: tuple[Message, ...]) -> None:
            ids = tuple(sibling.id for sibling in siblings)
            self._page.messages.set_siblings(message.id, ids)

        self._tasks.run(lambda _: store.siblings(message.id), done=show, owner=self)


@dataclass(frozen=True)
class Branch:
    """The messages shown and, for each that has them, its versions."""

    messages: tuple[Message, ...]
    sibling_ids: dict[int, tuple[int, ...]]


def _branch(store: ChatStore, messages: tuple[Message, ...]) -> Branch:
    versions = {message.id: tuple(one.id for one in store.siblings(message.id)) for message in messages}
    return Branch(messages, {id_: ids for id_, ids in versions.items() if len(ids) > 1})
