"""The end of the chain: the window answers with the model that was converted."""

import os
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from app.actions.context import Pronk
from app.chat.store import ChatStore
from app.core.paths import Home
from app.gui.tasks import Tasks
from app.gui.window import Window

pytestmark = [pytest.mark.gui, pytest.mark.native]

LOAD_MS = 60_000
ANSWER_MS = 120_000


def test_the_window_answers_with_the_converted_model(qtbot: QtBot) -> None:
    home = Home(Path(os.environ["PRONK_HOME"]))
    pronk = Pronk(home)
    window = Window(pronk, Tasks(), "SmolLM2-135M-Instruct-Q4_K_M")
    window.show()
    window.start()
    try:
        qtbot.waitUntil(lambda: window.engine.state.kind == "ready", timeout=LOAD_MS)
        qtbot.waitUntil(lambda: window.conversations.store is not None, timeout=LOAD_MS)
        window.chat.composer.set_draft("Name three animals that have wool.")
        window.chat.composer.submit()
        qtbot.waitUntil(lambda: len(window.chat.messages.views) == 2, timeout=ANSWER_MS)
        qtbot.waitUntil(lambda: not window.controller.answering, timeout=ANSWER_MS)
    finally:
        window.close()
        pronk.close()
    store = ChatStore.read_only(home.chats_db)
    (conversation,) = store.conversations()
    question, answer = store.path(conversation.id)
    assert question.text == "Name three animals that have wool."
    assert (answer.role, answer.state) == ("assistant", "complete")
    assert answer.text.strip()
    store.close()
