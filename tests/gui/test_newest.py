"""One question at a time, the newest only."""

import threading

import pytest
from pytestqt.qtbot import QtBot

from app.core.errors import BadRequest
from app.gui.newest import Newest
from app.gui.tasks import Tasks

pytestmark = pytest.mark.gui


def test_only_the_newest_question_is_asked_and_heard(qtbot: QtBot, tasks: Tasks) -> None:
    gate, asked, heard = threading.Event(), [], []

    def work(name: str) -> str:
        asked.append(name)
        gate.wait(10)
        return name

    newest = Newest(tasks, heard.append, heard.append)
    for name in ("a", "b", "c"):
        newest.ask(lambda name=name: work(name))
    gate.set()
    qtbot.waitUntil(lambda: heard == ["c"])
    assert asked == ["a", "c"]


def test_what_was_dropped_is_not_heard(qtbot: QtBot, tasks: Tasks) -> None:
    gate, heard = threading.Event(), []
    newest = Newest(tasks, heard.append, heard.append)
    newest.ask(lambda: gate.wait(10))
    newest.drop()
    gate.set()
    newest.ask(lambda: "later")
    qtbot.waitUntil(lambda: heard == ["later"])


def test_a_failure_is_heard(qtbot: QtBot, tasks: Tasks) -> None:
    failures: list[object] = []
    newest = Newest(tasks, lambda _: None, failures.append)

    def fail() -> None:
        raise BadRequest("No.", hint="Else.")

    newest.ask(fail)
    qtbot.waitUntil(lambda: len(failures) == 1)
