"""Send, regenerate, edit: what is stored, and when, whatever the engine does."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.actions.conversation import (
    MessageStored,
    Talk,
    chat_messages,
    edit,
    new_conversation,
    regenerate,
    send,
    title_of,
)
from app.chat.store import ChatStore
from app.chat.values import Message
from app.core.errors import BadRequest, Cancelled, EngineFailed
from app.engine.values import Answer, ReasoningArrived, TextArrived


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ChatStore]:
    with ChatStore.open(tmp_path / "chats.db") as opened:
        yield opened


class Engine:
    """Answers with given words; keeps what it was asked."""

    def __init__(self, *words: str, error: Exception | None = None) -> None:
        self.words = words
        self.error = error
        self.asked: list[list[dict[str, str]]] = []

    def __call__(self, messages: list[dict[str, str]], on_event: Any, cancel: threading.Event) -> Answer:
        self.asked.append([dict(message) for message in messages])
        on_event(ReasoningArrived("hm"))
        for word in self.words:
            on_event(TextArrived(word))
        if self.error is not None:
            raise self.error
        reason = "cancelled" if cancel.is_set() else "stop"
        return Answer("".join(self.words), "hm", reason, {"completion_tokens": 2}, {"decode_tokens_per_s": 31.0})


def ask(store: ChatStore, engine: Engine, text: str, conversation_id: int) -> Message:
    return send(Talk(store, engine, "tiny"), conversation_id, text, lambda _: None, threading.Event())


def test_an_answer_is_stored_with_its_figures(store: ChatStore) -> None:
    conversation = new_conversation(store, "What is a llama?", "tiny")
    answer = ask(store, Engine("A ", "camel."), "What is a llama?", conversation.id)
    assert conversation.title == "What is a llama?"
    assert (answer.text, answer.state) == ("A camel.", "complete")
    assert answer.details["timings"]["decode_tokens_per_s"] == 31.0
    assert answer.details["reasoning"] == "hm"
    assert answer.details["model"] == "tiny"
    assert [message.text for message in store.path(conversation.id)] == ["What is a llama?", "A camel."]


def test_the_question_is_on_disk_before_the_engine_is_asked(store: ChatStore) -> None:
    conversation = store.create()
    found: list[tuple[Message, ...]] = []

    def generate(*_: Any) -> Answer:
        found.append(store.path(conversation.id))
        raise EngineFailed("gone", hint="ask again")

    events: list[Any] = []
    answer = send(Talk(store, generate), conversation.id, "Hello", events.append, threading.Event())
    assert [(one.role, one.text, one.state) for one in found[0]] == [
        ("user", "Hello", "complete"),
        ("assistant", "", "streaming"),
    ]
    assert [event.message.role for event in events if isinstance(event, MessageStored)] == ["user", "assistant"]
    assert answer.state == "failed"
    assert answer.details["error"] == {"kind": "engine", "message": "gone", "hint": "ask again"}


@pytest.mark.parametrize(
    ("error", "state"), [(EngineFailed("died"), "failed"), (Cancelled(), "stopped"), (None, "complete")]
)
def test_what_came_is_kept_however_it_ends(store: ChatStore, error: Exception | None, state: str) -> None:
    conversation = store.create()
    answer = ask(store, Engine("half ", "an answer", error=error), "Hello", conversation.id)
    assert (answer.text, answer.state) == ("half an answer", state)


def test_a_fault_of_ours_is_stored_and_raised(store: ChatStore) -> None:
    conversation = store.create()
    with pytest.raises(ZeroDivisionError):
        ask(store, Engine("x", error=ZeroDivisionError()), "Hello", conversation.id)
    assert store.path(conversation.id)[-1].state == "failed"


def test_cancelling_counts_as_stopped(store: ChatStore) -> None:
    conversation = store.create()
    cancel = threading.Event()
    cancel.set()
    answer = send(Talk(store, Engine("some")), conversation.id, "Hello", lambda _: None, cancel)
    assert answer.state == "stopped"


def test_regenerate_asks_the_same_and_adds_a_sibling(store: ChatStore) -> None:
    conversation = store.create()
    first = ask(store, Engine("one"), "Hello", conversation.id)
    engine = Engine("two")
    second = regenerate(Talk(store, engine), first.id, lambda _: None, threading.Event())
    assert engine.asked == [[{"role": "user", "content": "Hello"}]]
    assert [one.text for one in store.siblings(second.id)] == ["one", "two"]
    assert [one.text for one in store.path(conversation.id)] == ["Hello", "two"]


def test_regenerate_needs_a_question(store: ChatStore) -> None:
    conversation = store.create()
    lonely = store.add(conversation.id, None, "assistant", "Hi", "complete")
    with pytest.raises(BadRequest):
        regenerate(Talk(store, Engine("x")), lonely.id, lambda _: None, threading.Event())


def test_edit_asks_anew_without_what_came_after(store: ChatStore) -> None:
    conversation = store.create()
    ask(store, Engine("one"), "First", conversation.id)
    ask(store, Engine("two"), "Secnd", conversation.id)
    wrong = store.path(conversation.id)[2]
    engine = Engine("three")
    edit(Talk(store, engine, system_prompt="Be brief."), wrong.id, "Second", lambda _: None, threading.Event())
    assert [message["content"] for message in engine.asked[0]] == ["Be brief.", "First", "one", "Second"]
    assert [one.text for one in store.path(conversation.id)] == ["First", "one", "Second", "three"]


def test_empty_answers_are_left_out_and_neighbours_joined(store: ChatStore) -> None:
    conversation = store.create()
    ask(store, Engine(error=EngineFailed("died")), "First", conversation.id)
    engine = Engine("ok")
    ask(store, engine, "Second", conversation.id)
    assert engine.asked == [[{"role": "user", "content": "First\n\nSecond"}]]
    assert chat_messages(()) == []


def test_titles_are_the_first_words() -> None:
    assert title_of("  Hello\nthere ") == "Hello there"
    assert title_of("word " * 40) == "word word word word word word word word word…"
    assert title_of("字" * 60) == "字" * 48 + "…"
