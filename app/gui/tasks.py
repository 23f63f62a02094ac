"""The one bridge between threads and widgets: work runs on a pool, everything it says arrives on the UI thread.

A single long-lived QObject with a single signal that carries a closure: an object or a signal for each task loses
deliveries in PySide6 and may crash.
"""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import shiboken6
from PySide6.QtCore import QObject, Qt, Signal, Slot

from app.core.errors import AppError, Bug, Cancelled

WORKERS = 12

_log = logging.getLogger(__name__)


class Task:
    """One piece of work: what it says goes through `emit`, what the user wants of it stands in `cancelled`."""

    def __init__(self, bridge: "Tasks", event: Callable[[Any], None] | None, owner: QObject | None) -> None:
        self.cancelled = threading.Event()
        self._bridge = bridge
        self._event = event
        self._owner = owner
        self._lock = threading.Lock()
        self._inbox: list[Any] = []

    def cancel(self) -> None:
        """Ask the work to stop; it ends as cancelled when it heeds."""
        self.cancelled.set()

    def emit(self, event: Any) -> None:
        """Hand an event to the UI thread; a burst of events costs one delivery."""
        with self._lock:
            self._inbox.append(event)
            if len(self._inbox) > 1:
                return
        self.deliver(self._drain)

    def deliver(self, closure: Callable[[], None]) -> None:
        """Run `closure` on the UI thread unless the widget it is for is gone."""

        def guarded() -> None:
            if self._owner is None or shiboken6.isValid(self._owner):
                closure()

        self._bridge.post(guarded)

    def _drain(self) -> None:
        with self._lock:
            events, self._inbox = self._inbox, []
        if self._event is not None:
            for event in events:
                self._event(event)


class Tasks(QObject):
    """Runs functions on a thread pool; their results, errors and events arrive on the thread this lives on."""

    failed = Signal(object)
    """An AppError that no caller took: the window shows it."""

    _posted = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="task")
        self._running: set[Task] = set()
        self._open = True
        self._posted.connect(self._on_posted, Qt.ConnectionType.QueuedConnection)

    def run(
        self,
        work: Callable[[Task], Any],
        done: Callable[[Any], None] | None = None,
        failed: Callable[[AppError], None] | None = None,
        event: Callable[[Any], None] | None = None,
        cancelled: Callable[[], None] | None = None,
        owner: QObject | None = None,
    ) -> Task:
        """Run `work(task)` on the pool; exactly one of done, failed and cancelled follows, on the UI thread.

        owner: deliveries stop when this object is gone.
        """
        task = Task(self, event, owner)
        self._running.add(task)
        self._pool.submit(self._run, task, work, done, failed or self.failed.emit, cancelled)
        return task

    def post(self, closure: Callable[[], None]) -> None:
        """Run `closure` on the UI thread, soon; safe from any thread."""
        if self._open:
            self._posted.emit(closure)

    def close(self) -> None:
        """Cancel what runs and wait for it; nothing is delivered any more."""
        self._open = False
        for task in list(self._running):
            task.cancel()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _run(
        self,
        task: Task,
        work: Callable[[Task], Any],
        done: Callable[[Any], None] | None,
        failed: Callable[[AppError], None],
        cancelled: Callable[[], None] | None,
    ) -> None:
        try:
            result = work(task)
        except Cancelled:
            task.deliver(cancelled or _nothing)
        except AppError as error:
            task.deliver(_call(failed, error))
        except Exception as error:  # noqa: BLE001 - the border of a task: a fault of ours must reach the user
            _log.exception("a task failed")
            task.deliver(_call(failed, Bug(f"A fault in Pronk: {error}", hint="Please report it.", detail=repr(error))))
        else:
            task.deliver(_call(done, result) if done is not None else _nothing)
        finally:
            self._running.discard(task)

    @Slot(object)
    def _on_posted(self, closure: Callable[[], None]) -> None:
        if self._open:
            closure()


def _call(function: Callable[[Any], None], value: Any) -> Callable[[], None]:
    return lambda: function(value)


def _nothing() -> None:
    return None
