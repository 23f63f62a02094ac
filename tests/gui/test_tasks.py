"""The bridge: everything arrives on the UI thread, in order, exactly once."""

import threading

import pytest
from PySide6.QtCore import QObject
from pytestqt.qtbot import QtBot

from app.core.errors import AppError, BadFile, Bug, Cancelled
from app.gui.tasks import Task, Tasks

pytestmark = pytest.mark.gui


def test_results_and_events_arrive_on_the_ui_thread(qtbot: QtBot, tasks: Tasks) -> None:
    heard: list[object] = []
    threads: set[int] = set()

    def note(value: object) -> None:
        heard.append(value)
        threads.add(threading.get_ident())

    def work(task: Task) -> str:
        for number in range(1000):
            task.emit(number)
        return "end"

    tasks.run(work, done=note, event=note)
    qtbot.waitUntil(lambda: len(heard) == 1001)
    assert heard == [*range(1000), "end"]
    assert threads == {threading.get_ident()}


def test_two_thousand_tasks_lose_nothing(qtbot: QtBot, tasks: Tasks) -> None:
    heard: list[int] = []
    for number in range(2000):
        tasks.run(lambda _, number=number: number, done=heard.append)
    qtbot.waitUntil(lambda: len(heard) == 2000, timeout=20_000)
    assert sorted(heard) == list(range(2000))


def test_errors_come_as_app_errors(qtbot: QtBot, tasks: Tasks) -> None:
    failures: list[AppError] = []

    def refuse(_: Task) -> None:
        raise BadFile("no such file")

    tasks.run(refuse, failed=failures.append)
    tasks.failed.connect(failures.append)
    tasks.run(lambda _: 1 / 0)
    qtbot.waitUntil(lambda: len(failures) == 2)
    assert {type(failure) for failure in failures} == {BadFile, Bug}


def test_cancelled_is_no_failure(qtbot: QtBot, tasks: Tasks) -> None:
    heard: list[str] = []

    def work(task: Task) -> None:
        task.cancelled.wait(10)
        raise Cancelled

    task = tasks.run(work, failed=lambda _: heard.append("failed"), cancelled=lambda: heard.append("cancelled"))
    task.cancel()
    qtbot.waitUntil(lambda: heard == ["cancelled"])


def test_nothing_reaches_a_widget_that_is_gone(qtbot: QtBot, tasks: Tasks) -> None:
    heard: list[str] = []
    owner = QObject()
    gate = threading.Event()
    tasks.run(lambda _: gate.wait(10), done=lambda _: heard.append("owned"), owner=owner)
    owner.deleteLater()
    qtbot.waitSignal(owner.destroyed)
    import shiboken6

    qtbot.waitUntil(lambda: not shiboken6.isValid(owner))
    gate.set()
    tasks.run(lambda _: None, done=lambda _: heard.append("free"))
    qtbot.waitUntil(lambda: "free" in heard)
    assert heard == ["free"]
