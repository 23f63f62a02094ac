"""What the conversation page does: send, regenerate, edit; each word is stored before it can get lost."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, is_dataclass
from typing import TYPE_CHECKING, Any

from app.chat.stream_saver import StreamSaver
from app.chat.values import Conversation, Message
from app.core.errors import AppError, BadRequest, Bug, Cancelled
from app.engine.values import Answer, ReasoningArrived, TextArrived

if TYPE_CHECKING:
    from app.chat.store import ChatStore

TITLE_CHARACTERS = 48

ChatMessages = list[dict[str, str]]
OnEvent = Callable[[Any], None]
Generate = Callable[[ChatMessages, OnEvent, threading.Event], Answer]
"""The port to the engine: EngineClient.chat with its options filled in."""


@dataclass(frozen=True)
class MessageStored:
    """A message is on disk: the user's text, or an answer that begins."""

    message: Message


@dataclass(frozen=True)
class Talk:
    """What an answer needs: the store, the engine and the model's name."""

    store: ChatStore
    generate: Generate
    model: str = ""
    system_prompt: str = ""


def new_conversation(store: ChatStore, text: str, model: str) -> Conversation:
    """Begin a conversation that is named after its first message."""
    return store.create(title_of(text), model)


def send(talk: Talk, conversation_id: int, text: str, on_event: OnEvent, cancel: threading.Event) -> Message:
    """Store the user's text at the end of the branch shown, then answer it; returns the answer as stored."""
    branch = talk.store.path(conversation_id)
    parent_id = branch[-1].id if branch else None
    question = talk.store.add(conversation_id, parent_id, "user", text, "complete")
    on_event(MessageStored(question))
    return answer(talk, question, on_event, cancel)


def regenerate(talk: Talk, message_id: int, on_event: OnEvent, cancel: threading.Event) -> Message:
    """Answer the same question again, beside the answer `message_id` or below the question `message_id`."""
    message = talk.store.message(message_id)
    if message.role == "assistant":
        if message.parent_id is None:
            raise BadRequest("This answer has no question before it.", hint="Write a message first.")
        message = talk.store.message(message.parent_id)
    return answer(talk, message, on_event, cancel)


def edit(talk: Talk, message_id: int, text: str, on_event: OnEvent, cancel: threading.Event) -> Message:
    """Ask something else in place of message `message_id`, beside it, and answer that."""
    old = talk.store.message(message_id)
    question = talk.store.add(old.conversation_id, old.parent_id, "user", text, "complete")
    on_event(MessageStored(question))
    return answer(talk, question, on_event, cancel)


def answer(talk: Talk, question: Message, on_event: OnEvent, cancel: threading.Event) -> Message:
    """Stream an answer below `question` into the store; a failure is part of the message, not raised.

    The message's state is complete, stopped (cancelled) or failed; details hold what the engine said, or the error.
    """
    branch = branch_to(talk.store, question)
    begun = talk.store.add(question.conversation_id, question.id, "assistant", "", "streaming")
    on_event(MessageStored(begun))
    saver = StreamSaver(talk.store, begun)

    def take(event: Any) -> None:
        if isinstance(event, TextArrived):
            saver.add(event.text)
        elif isinstance(event, ReasoningArrived):
            reasoning.append(event.text)
        on_event(event)

    reasoning: list[str] = []
    details: dict[str, Any] = {"model": talk.model}
    try:
        result = talk.generate(chat_messages(branch, talk.system_prompt), take, cancel)
    except Cancelled:
        return saver.finish("stopped", {**details, "reasoning": "".join(reasoning)})
    except AppError as error:
        return saver.finish("failed", {**details, "error": error.as_event()})
    except Exception as error:
        fault = Bug(f"A fault in Pronk: {error}", hint="Please report it.")
        saver.finish("failed", {**details, "error": fault.as_event()})
        raise
    return saver.finish("stopped" if cancel.is_set() else "complete", {**details, **_told(result)})


def branch_to(store: ChatStore, message: Message) -> tuple[Message, ...]:
    """Return the messages from the first one to `message`."""
    branch = [message]
    while branch[-1].parent_id is not None:
        branch.append(store.message(branch[-1].parent_id))
    return tuple(reversed(branch))


def chat_messages(branch: Iterable[Message], system_prompt: str = "") -> ChatMessages:
    """Return a branch as the engine takes it.

    Answers without text are left out and neighbours of one role joined: many chat templates refuse two in a row.
    """
    messages: ChatMessages = [{"role": "system", "content": system_prompt}] if system_prompt else []
    for message in branch:
        if not message.text:
            continue
        if messages and messages[-1]["role"] == message.role:
            messages[-1]["content"] += "\n\n" + message.text
        else:
            messages.append({"role": message.role, "content": message.text})
    return messages


def title_of(text: str) -> str:
    """Return a conversation's title: the first words of its first message."""
    line = " ".join(text.split())
    if len(line) <= TITLE_CHARACTERS:
        return line
    head = line[:TITLE_CHARACTERS]
    cut = head.rpartition(" ")[0] if " " in head[TITLE_CHARACTERS // 2 :] else head
    return cut.rstrip(".,;:!?") + "…"


def _told(result: Answer) -> Mapping[str, Any]:
    def plain(value: Any) -> Any:
        return asdict(value) if is_dataclass(value) and not isinstance(value, type) else value

    return {
        "reasoning": result.reasoning,
        "finish_reason": result.finish_reason,
        "usage": plain(result.usage),
        "timings": plain(result.timings),
    }
