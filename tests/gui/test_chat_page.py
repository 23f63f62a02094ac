"""The conversation page with the real store and an engine that speaks the real protocol."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QLineEdit, QPushButton
from pytestqt.qtbot import QtBot

from app.chat.values import Message
from app.core.errors import EngineFailed
from app.core.paths import Home
from app.gui.chat.message_view import AssistantMessage
from app.gui.window import Window

pytestmark = pytest.mark.gui
OpenWindow = Callable[..., Window]
ANSWER = "Llamas **hum**.\n\n```python\nprint(1)\n```\n\nThat is all."


def ask(qtbot: QtBot, window: Window, text: str = "What do llamas do?") -> None:
    window.chat.composer.set_draft(text)
    window.chat.composer.submit()
    qtbot.waitUntil(lambda: window.controller.answering)


def wait_answered(qtbot: QtBot, window: Window) -> AssistantMessage:
    qtbot.waitUntil(lambda: not window.controller.answering, timeout=10_000)
    view = window.chat.messages.views[-1]
    assert isinstance(view, AssistantMessage)
    return view


def stored(window: Window) -> tuple[Message, ...]:
    assert window.conversations.store is not None
    assert window.controller.current is not None
    return window.conversations.store.path(window.controller.current)


def test_send_streams_an_answer_into_page_and_store(qtbot: QtBot, open_window: OpenWindow) -> None:
    window = open_window(text=ANSWER)
    ask(qtbot, window)
    view = wait_answered(qtbot, window)
    assert view.text == ANSWER
    assert [(one.role, one.text, one.state) for one in stored(window)] == [
        ("user", "What do llamas do?", "complete"),
        ("assistant", ANSWER, "complete"),
    ]
    qtbot.waitUntil(lambda: window.sidebar.conversations.titles == ("What do llamas do?",))
    assert "tok/s" in view.footer.stats
    assert window.chat.composer.draft == ""


def test_the_question_is_stored_before_the_engine_is_asked(qtbot: QtBot, open_window: OpenWindow) -> None:
    window = open_window("hold", text=ANSWER * 3)
    ask(qtbot, window, "Will this be kept?")
    qtbot.waitUntil(lambda: len(window.chat.messages.views) == 2)
    assert stored(window)[0].text == "Will this be kept?"
    assert stored(window)[1].state == "streaming"
    qtbot.waitUntil(lambda: stored(window)[1].text != "", timeout=3000)  # saved while it streams


def test_escape_stops_and_keeps_what_came(qtbot: QtBot, open_window: OpenWindow) -> None:
    window = open_window("hold", text="one two three four five six")
    ask(qtbot, window)
    qtbot.waitUntil(lambda: len(window.chat.messages.views) == 2)
    qtbot.waitUntil(lambda: "three" in window.chat.messages.views[-1].text)
    qtbot.keyClick(window.chat.composer.field, Qt.Key.Key_Escape)
    view = wait_answered(qtbot, window)
    assert view.text == "one two three"
    assert stored(window)[-1].state == "stopped"
    assert "stopped" in view.footer.stats


def test_enter_sends_and_shift_enter_breaks_the_line(qtbot: QtBot, open_window: OpenWindow) -> None:
    window = open_window(text=ANSWER)
    field = window.chat.composer.field
    qtbot.keyClicks(field, "one")
    qtbot.keyClick(field, Qt.Key.Key_Return, Qt.KeyboardModifier.ShiftModifier)
    qtbot.keyClicks(field, "two")
    qtbot.keyClick(field, Qt.Key.Key_Return)
    wait_stored = lambda: window.controller.current is not None and len(stored(window)) == 2  # noqa: E731
    qtbot.waitUntil(wait_stored, timeout=5000)
    wait_answered(qtbot, window)
    assert stored(window)[0].text == "one\ntwo"


def test_regenerate_adds_a_sibling_and_the_switch_goes_back(qtbot: QtBot, open_window: OpenWindow) -> None:
    window = open_window(text=ANSWER)
    ask(qtbot, window)
    first = wait_answered(qtbot, window).message.id
    window.chat.messages.views[-1].footer.regenerate_asked.emit()
    qtbot.waitUntil(lambda: window.controller.answering)
    second = wait_answered(qtbot, window).message.id
    assert second != first
    assert len(window.chat.messages.views) == 2
    qtbot.waitUntil(lambda: window.chat.messages.views[-1].footer.place == "2/2")
    window.chat.messages.views[-1].footer.sibling_asked.emit(first)
    qtbot.waitUntil(lambda: window.chat.messages.views[-1].message.id == first)
    assert window.chat.messages.views[-1].footer.place == "1/2"


def test_edit_asks_anew_beside_the_old_question(qtbot: QtBot, open_window: OpenWindow) -> None:
    window = open_window(text=ANSWER)
    ask(qtbot, window, "What do lamas do?")
    wait_answered(qtbot, window)
    window.chat.composer.set_draft("half a thought")
    window.chat.messages.views[0].footer.edit_asked.emit()
    assert window.chat.composer.draft == "What do lamas do?"
    window.chat.composer.set_draft("What do llamas do?")
    window.chat.composer.submit()
    qtbot.waitUntil(lambda: window.controller.answering)
    wait_answered(qtbot, window)
    assert [one.text for one in stored(window)] == ["What do llamas do?", ANSWER]
    assert window.chat.composer.draft == "half a thought"
    assert window.conversations.store is not None
    assert len(window.conversations.store.siblings(stored(window)[0].id)) == 2
    qtbot.waitUntil(lambda: window.chat.messages.views[0].footer.place == "2/2")


def test_escape_gives_an_edit_up(qtbot: QtBot, open_window: OpenWindow) -> None:
    window = open_window(text=ANSWER)
    ask(qtbot, window)
    wait_answered(qtbot, window)
    window.chat.messages.views[0].footer.edit_asked.emit()
    qtbot.keyClick(window.chat.composer.field, Qt.Key.Key_Escape)
    assert window.chat.composer.draft == ""
    ask(qtbot, window, "Another question")
    wait_answered(qtbot, window)
    assert len(stored(window)) == 4


def test_copy_gives_the_source(qtbot: QtBot, open_window: OpenWindow) -> None:
    window = open_window(text=ANSWER)
    ask(qtbot, window)
    view = wait_answered(qtbot, window)
    view.footer.copy_asked.emit()
    assert QGuiApplication.clipboard().text() == ANSWER


def test_new_chat_keeps_each_draft(qtbot: QtBot, open_window: OpenWindow) -> None:
    window = open_window(text=ANSWER)
    ask(qtbot, window, "First")
    wait_answered(qtbot, window)
    first = window.controller.current
    assert first is not None
    window.chat.composer.set_draft("not sent yet")
    qtbot.keyClick(window, Qt.Key.Key_N, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: window.controller.current is None)
    assert window.chat.composer.draft == ""
    ask(qtbot, window, "Second")
    wait_answered(qtbot, window)
    qtbot.waitUntil(lambda: window.sidebar.conversations.titles == ("Second", "First"))
    window.sidebar.conversations.opened.emit(first)
    qtbot.waitUntil(lambda: [view.text for view in window.chat.messages.views] == ["First", ANSWER])
    assert window.chat.composer.draft == "not sent yet"


def test_an_answer_goes_on_while_another_conversation_is_read(qtbot: QtBot, open_window: OpenWindow) -> None:
    window = open_window("hold", text="one two three four five six")
    ask(qtbot, window, "Slow")
    qtbot.waitUntil(lambda: len(window.chat.messages.views) == 2)
    slow = window.controller.current
    window.controller.new()
    assert not window.controller.answering
    assert slow is not None
    window.controller.open(slow)
    qtbot.waitUntil(lambda: window.controller.answering and len(window.chat.messages.views) == 2)
    qtbot.waitUntil(lambda: window.chat.messages.views[-1].text == "one two three")
    window.controller.stop()
    wait_answered(qtbot, window)


def test_a_new_chat_right_after_sending_stays_empty(qtbot: QtBot, open_window: OpenWindow) -> None:
    window = open_window(text=ANSWER)
    window.chat.composer.set_draft("First")
    window.chat.composer.submit()
    window.controller.new()
    assert not window.controller.answering
    qtbot.waitUntil(lambda: window.sidebar.conversations.titles == ("First",))
    assert window.controller.current is None
    store = window.conversations.store
    assert store is not None
    first = store.conversations()[0].id
    qtbot.waitUntil(lambda: [one.state for one in store.path(first)] == ["complete", "complete"])
    assert window.controller.current is None
    window.controller.open(first)
    qtbot.waitUntil(lambda: [view.text for view in window.chat.messages.views] == ["First", ANSWER])


def test_another_model_stops_the_answer_plainly(qtbot: QtBot, open_window: OpenWindow) -> None:
    window = open_window("hold", text="one two three four five six")
    ask(qtbot, window)
    qtbot.waitUntil(lambda: len(window.chat.messages.views) == 2)
    qtbot.waitUntil(lambda: "three" in window.chat.messages.views[-1].text)
    window.choice.use(window.library.view.models[0], True)
    view = wait_answered(qtbot, window)
    assert (view.message.state, view.notice, view.text) == ("stopped", "", "one two three")


def test_an_error_is_gone_once_an_answer_is_complete(qtbot: QtBot, open_window: OpenWindow) -> None:
    window = open_window(text=ANSWER)
    window.chat.notice.show_error(EngineFailed("The engine failed.", hint="Ask again."))
    ask(qtbot, window)
    wait_answered(qtbot, window)
    assert not window.chat.notice.isVisible()
    window.chat.notice.show_text("Only so that you know.")
    ask(qtbot, window)
    wait_answered(qtbot, window)
    assert window.chat.notice.isVisible()


def test_rename_with_f2(qtbot: QtBot, open_window: OpenWindow) -> None:
    window = open_window(text=ANSWER)
    ask(qtbot, window)
    wait_answered(qtbot, window)
    conversations = window.sidebar.conversations
    qtbot.waitUntil(lambda: conversations.titles != ())
    conversations.rename_current()
    editor = conversations.findChild(QLineEdit)
    assert editor is not None
    editor.selectAll()
    qtbot.keyClicks(editor, "About llamas")
    qtbot.keyClick(editor, Qt.Key.Key_Return)
    store = window.conversations.store
    assert store is not None
    qtbot.waitUntil(lambda: store.conversations()[0].title == "About llamas")
    qtbot.waitUntil(lambda: conversations.titles == ("About llamas",))


def test_delete_can_be_undone(qtbot: QtBot, open_window: OpenWindow) -> None:
    window = open_window(text=ANSWER)
    ask(qtbot, window)
    wait_answered(qtbot, window)
    conversations = window.sidebar.conversations
    qtbot.waitUntil(lambda: conversations.titles != ())
    qtbot.keyClick(conversations, Qt.Key.Key_Delete)
    qtbot.waitUntil(lambda: conversations.titles == ())
    assert window.controller.current is None
    notice = window.sidebar.notice
    assert "Deleted" in notice.message
    undo = next(button for button in notice.findChildren(QPushButton) if button.text() == "Undo")
    qtbot.mouseClick(undo, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: conversations.titles == ("What do llamas do?",))
    qtbot.waitUntil(lambda: [view.text for view in window.chat.messages.views] == ["What do llamas do?", ANSWER])
    assert window.controller.current is not None


def test_the_context_menu_renames_and_deletes(qtbot: QtBot, open_window: OpenWindow) -> None:
    window = open_window(text=ANSWER)
    ask(qtbot, window)
    wait_answered(qtbot, window)
    conversations = window.sidebar.conversations
    qtbot.waitUntil(lambda: conversations.titles != ())
    rename, delete = conversations.menu_of(conversations.currentIndex()).actions()
    rename.trigger()
    editor = conversations.findChild(QLineEdit)
    assert editor is not None
    qtbot.keyClick(editor, Qt.Key.Key_Escape)
    delete.trigger()
    qtbot.waitUntil(lambda: conversations.titles == ())


def test_a_crash_is_told_and_the_conversation_goes_on(qtbot: QtBot, open_window: OpenWindow) -> None:
    window = open_window("crash", text=ANSWER)
    ask(qtbot, window)
    view = wait_answered(qtbot, window)
    assert stored(window)[-1].state == "failed"
    assert view.text
    assert "engine" in view.notice
    qtbot.waitUntil(lambda: "running again" in view.notice, timeout=5000)
    retry = next(button for button in view.findChildren(QPushButton) if button.text() == "Retry")
    qtbot.mouseClick(retry, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: window.controller.answering)
    assert wait_answered(qtbot, window).text == ANSWER
    assert [one.role for one in stored(window)] == ["user", "assistant"]


def test_an_engine_that_is_killed_is_started_again_once(qtbot: QtBot, open_window: OpenWindow) -> None:
    window = open_window(text=ANSWER)
    first = window.engine.engine
    assert first is not None
    os.kill(first.pid, signal.SIGKILL)
    qtbot.waitUntil(lambda: window.engine.state.kind == "restarting", timeout=5000)
    qtbot.waitUntil(lambda: window.engine.state.kind == "ready", timeout=10_000)
    second = window.engine.engine
    assert second is not None
    assert second is not first
    ask(qtbot, window)
    assert wait_answered(qtbot, window).text == ANSWER
    os.kill(second.pid, signal.SIGKILL)
    qtbot.waitUntil(lambda: window.engine.state.kind == "failed", timeout=5000)
    again = [button for button in window.chat.notice.findChildren(QPushButton) if button.text() == "Try again"]
    qtbot.mouseClick(again[0], Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: window.engine.state.kind == "ready", timeout=10_000)
    assert not window.chat.notice.isVisible()


def test_too_big_a_model_is_told_and_can_be_loaded_anyway(qtbot: QtBot, open_window: OpenWindow) -> None:
    window = open_window("no-memory", ready=False)
    qtbot.waitUntil(lambda: window.engine.state.kind == "failed", timeout=10_000)
    assert "6.1 GB" in window.chat.header.verdict
    qtbot.waitUntil(lambda: window.conversations.store is not None)
    window.chat.composer.set_draft("Are you there?")
    window.chat.composer.submit()
    qtbot.waitUntil(lambda: window.controller.answering)
    view = wait_answered(qtbot, window)
    assert "6.1 GB" in view.notice
    window.choice.use(window.library.view.models[0], True)
    qtbot.waitUntil(lambda: window.engine.state.kind == "ready", timeout=10_000)


def test_without_a_model_the_page_says_what_to_do(qtbot: QtBot, open_window: OpenWindow) -> None:
    window = open_window(ready=False, with_model=False)
    qtbot.waitUntil(lambda: window.chat.empty.title == "No model yet")
    qtbot.waitUntil(lambda: window.conversations.store is not None)
    ask(qtbot, window)
    view = wait_answered(qtbot, window)
    assert "No model is loaded" in view.notice
    assert stored(window)[0].text == "What do llamas do?"


def test_a_long_conversation_shows_its_end_first(qtbot: QtBot, open_window: OpenWindow) -> None:
    window = open_window()
    store = window.conversations.store
    assert store is not None
    conversation = store.create("Long")
    parent = None
    for index in range(40):
        role = "assistant" if index % 2 else "user"
        parent = store.add(conversation.id, parent, role, f"message {index}", "complete").id  # type: ignore[arg-type]
    window.controller.open(conversation.id)
    views = lambda: [view.text for view in window.chat.messages.views]  # noqa: E731
    qtbot.waitUntil(lambda: len(views()) == 24)
    assert views()[-1] == "message 39"
    window.chat.messages.show_earlier()
    qtbot.waitUntil(lambda: len(views()) == 40)
    assert views() == [f"message {index}" for index in range(40)]


def test_escape_stops_from_anywhere_in_the_window(qtbot: QtBot, open_window: OpenWindow) -> None:
    window = open_window("hold", text="one two three four five six")
    qtbot.waitUntil(window.isActiveWindow)
    ask(qtbot, window)
    qtbot.waitUntil(lambda: len(window.chat.messages.views) == 2)
    qtbot.waitUntil(lambda: "three" in window.chat.messages.views[-1].text)
    qtbot.keyClick(window.sidebar.conversations, Qt.Key.Key_Escape)
    assert wait_answered(qtbot, window).message.state == "stopped"


def test_sending_loads_the_model_whose_loading_was_called_off(qtbot: QtBot, open_window: OpenWindow) -> None:
    window = open_window(text=ANSWER)
    window.engine.unload()
    assert window.engine.state.kind == "off"
    ask(qtbot, window)
    assert wait_answered(qtbot, window).text == ANSWER


def test_a_store_in_use_is_told_and_can_be_tried_again(qtbot: QtBot, open_window: OpenWindow, home: Home) -> None:
    hold = "import sys; from pathlib import Path; from app.chat.store import ChatStore\n"
    hold += "store = ChatStore.open(Path(sys.argv[1])); print('open', flush=True); sys.stdin.read(); store.close()"
    other = subprocess.Popen(
        [sys.executable, "-P", "-c", hold, str(home.chats_db)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert other.stdout is not None
    assert other.stdout.readline() == b"open\n"
    window = open_window(ready=False)
    notice = window.chat.notice
    qtbot.waitUntil(notice.isVisible, timeout=20_000)
    window.chat.composer.set_draft("Is this kept?")
    window.chat.composer.submit()
    assert window.chat.composer.draft == "Is this kept?"
    other.communicate()
    again = next(button for button in notice.findChildren(QPushButton) if button.text() == "Try again")
    qtbot.mouseClick(again, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: window.conversations.store is not None)
