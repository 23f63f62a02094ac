"""Bugs in slots and tasks: logged, told, survived."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from app.core.errors import AppError
from app.gui.faults import FaultLog
from app.gui.tasks import Tasks
from app.gui.window import Window

pytestmark = pytest.mark.gui


def test_a_bug_in_a_slot_is_logged_and_told(tmp_path: Path) -> None:
    told: list[AppError] = []
    before = sys.excepthook
    faults = FaultLog(tmp_path / "crash.log", told.append)
    faults.start()
    try:
        sys.excepthook(ZeroDivisionError, ZeroDivisionError("by zero"), None)
    finally:
        faults.stop()
    assert sys.excepthook is before
    assert "ZeroDivisionError: by zero" in (tmp_path / "crash.log").read_text(encoding="utf-8")
    assert "ZeroDivisionError" in told[0].message
    assert "crash.log" in told[0].hint


def test_a_bug_in_a_task_is_logged(qtbot: QtBot, tasks: Tasks, tmp_path: Path) -> None:
    faults = FaultLog(tmp_path / "crash.log", lambda _: None)
    faults.start()
    told: list[AppError] = []
    try:
        tasks.run(lambda _: [][1], failed=told.append)
        qtbot.waitUntil(lambda: told != [])
    finally:
        faults.stop()
    assert "IndexError" in (tmp_path / "crash.log").read_text(encoding="utf-8")


def test_a_full_disk_gives_the_words_back(qtbot: QtBot, open_window: Callable[..., Window]) -> None:
    window = open_window(text="An answer.")
    store = window.conversations.store
    assert store is not None
    connection = store._session._connection
    assert connection is not None
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages}")
    question = "A long question. " * 2000
    window.chat.composer.set_draft(question)
    window.chat.composer.submit()
    qtbot.waitUntil(window.chat.notice.isVisible)
    qtbot.waitUntil(lambda: not window.controller.answering)
    assert window.chat.composer.draft.strip() == question.strip()
    assert "disk" in window.chat.notice.message.lower() or "full" in window.chat.notice.message.lower()
    connection.execute("PRAGMA max_page_count = 1000000")
    window.chat.composer.submit()
    qtbot.waitUntil(lambda: len(window.chat.messages.views) == 2)
    qtbot.waitUntil(lambda: not window.controller.answering)
    assert window.chat.messages.views[-1].text == "An answer."
