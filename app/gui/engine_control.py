"""The engine as the window sees it: one model at a time, loaded on a pool thread, told in states."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from PySide6.QtCore import QObject, Signal

from app.actions.context import Pronk
from app.core.errors import AppError, Cancelled, EngineFailed, from_event
from app.gui.ports import Ports
from app.gui.tasks import Task, Tasks

if TYPE_CHECKING:
    from app.engine.client import EngineClient
    from app.engine.supervisor import Engine

Kind = Literal["off", "loading", "ready", "restarting", "failed"]
READY_POLL_S = 0.2
REVIVE_AGAIN_S = 60.0
"""An engine that ends by itself is started again, but not twice within this time."""


@dataclass(frozen=True)
class EngineState:
    """What the engine is doing with which model (`title` is its name for people).

    `percent` while loading, `reason` when it died or failed.
    """

    kind: Kind = "off"
    model: str = ""
    title: str = ""
    path: str = ""
    percent: int = 0
    reason: str = ""
    hint: str = ""
    error_kind: str = ""
    options: tuple[str, ...] = ()
    """The wishes it is loaded with, in the command line's words, without --force."""

    plan: Mapping[str, Any] | None = None
    taken: Mapping[str, int] = field(default_factory=dict)
    """What loading took of each device, by id; empty until it is known."""

    measured_bytes: int = 0
    """What the loaded model holds on all devices together, as llama.cpp counts; 0 until it is known."""


class EngineControl(QObject):
    """Loads models and hands out clients; `changed` carries each new EngineState on the UI thread."""

    changed = Signal(object)
    leaving = Signal()
    """The engine is about to be ended by the user's wish."""

    died = Signal(str)
    restarted = Signal()
    replanned = Signal(str)
    """Less memory was there than planned: the sentence that says what was done about it."""

    slowed = Signal()
    """The model writes far slower than foretold, as where a driver moves a card's memory to main memory."""

    def __init__(self, pronk: Pronk, tasks: Tasks, ports: Ports, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._pronk = pronk
        self._ports = ports
        self._tasks = tasks
        self._turn = 0
        self._condition = threading.Condition()
        self._state = EngineState()
        self._engine: Engine | None = None
        self._started: set[Engine] = set()
        """Every child that was started and not seen to end; close() ends what pool tasks did not get to."""

        self._options: tuple[str, ...] = ()
        self._revived_s = -REVIVE_AGAIN_S
        self._task: Task | None = None

    @property
    def state(self) -> EngineState:
        """The state of the moment."""
        return self._state

    @property
    def engine(self) -> Engine | None:
        """The engine that runs, None while there is none."""
        return self._engine

    def load(self, name: str, title: str, path: str, force: bool = False, options: tuple[str, ...] = ()) -> None:
        """Load a model in place of the one that is loaded; returns at once.

        options: wishes in the command line's words ("--context", "8192"). The same model with the same wishes is left
        alone.
        """
        state = self._state
        same = state.path == path and state.options == options
        if same and state.kind in ("loading", "ready", "restarting") and not force:
            return
        self.leaving.emit()
        self._turn += 1
        old = self._take_engine()
        self._set(EngineState("loading", name, title, path, options=options))
        self._options = (*options, "--force") if force else options
        self._begin(old)

    def ensure(self) -> None:
        """Load the chosen model again if its loading was called off or failed."""
        state = self._state
        if state.path and state.kind in ("off", "failed"):
            self.load(state.model, state.title, state.path, options=state.options)

    def unload(self) -> None:
        """End the engine; also calls a loading off."""
        self.leaving.emit()
        self._turn += 1
        old = self._take_engine()
        self._set(replace(self._state, kind="off", percent=0))
        self._tasks.run(lambda _: self._end(old))

    def close(self) -> None:
        """End the engine and wait for it."""
        self._turn += 1
        with self._condition:
            self._state = EngineState()
            self._condition.notify_all()
        self._take_engine()
        for engine in tuple(self._started):
            self._end(engine)

    def client(self, cancel: threading.Event) -> EngineClient:
        """Return a client of the engine once its door is open; for pool threads.

        Raises Cancelled when `cancel` is set while waiting, EngineFailed when no engine runs.
        """
        from app.engine.client import EngineClient

        with self._condition:
            while self._engine is None:
                if cancel.is_set():
                    raise Cancelled
                if self._state.kind == "off":
                    raise EngineFailed("No model is loaded.", hint="Choose one at the top of the conversation.")
                if self._state.kind == "failed":
                    raise EngineFailed(self._state.reason, hint=self._state.hint)
                self._condition.wait(READY_POLL_S)
            return EngineClient(self._engine.url, self._engine.api_key)

    def _begin(self, old: Engine | None) -> None:
        turn, path, options = self._turn, Path(self._state.path), self._options
        self._task = self._tasks.run(
            lambda task: self._start(task, turn, old, path, options),
            failed=lambda error: self._on_failed(turn, error),
            owner=self,
        )

    def _revive(self, reason: str) -> None:
        self._turn += 1
        self._revived_s = time.monotonic()
        old = self._take_engine()
        self._set(replace(self._state, kind="restarting", reason=reason))
        self.died.emit(reason)
        self._begin(old)

    def _start(self, task: Task, turn: int, old: Engine | None, path: Path, options: tuple[str, ...]) -> None:
        self._end(old)
        if turn != self._turn:
            raise Cancelled
        engine = self._ports.start_engine(
            self._pronk, path, options, lambda event: task.deliver(lambda: self._on_event(turn, event))
        )
        self._started.add(engine)
        with self._condition:
            wanted = turn == self._turn
            if wanted:
                self._engine = engine
                self._condition.notify_all()
        if not wanted:
            self._end(engine)

    def _take_engine(self) -> Engine | None:
        with self._condition:
            engine, self._engine = self._engine, None
        return engine

    def _end(self, engine: Engine | None) -> None:
        if engine is not None:
            engine.close()
            self._started.discard(engine)

    def _set(self, state: EngineState) -> None:
        with self._condition:
            self._state = state
            self._condition.notify_all()
        self.changed.emit(state)

    def _on_event(self, turn: int, event: Mapping[str, Any]) -> None:
        """Follow the engine; events that are not known say nothing."""
        if turn != self._turn:
            return
        match event.get("event"):
            case "ready":
                self._set(replace(self._state, plan=event.get("plan")))
            case "replanned":
                self._set(replace(self._state, plan=event.get("plan") or self._state.plan))
                self.replanned.emit(str(event.get("reason") or ""))
            case "slow":
                self.slowed.emit()
            case "progress":
                self._on_progress(event)
            case "loaded":
                self._on_loaded(event)
            case "engine_died":
                self._set(replace(self._state, kind="restarting", reason=str(event.get("reason", ""))))
                self.died.emit(self._state.reason)
            case "restarted":
                self._set(replace(self._state, kind="ready", plan=event.get("plan") or self._state.plan))
                self.restarted.emit()
            case "failed":
                self._on_ended(turn, _error_of(event))

    def _on_progress(self, event: Mapping[str, Any]) -> None:
        total = int(event.get("total_bytes") or 0)
        percent = round(100 * int(event.get("done_bytes") or 0) / total) if total else 0
        if self._state.kind == "loading" and percent != self._state.percent:
            self._set(replace(self._state, percent=percent))

    def _on_loaded(self, event: Mapping[str, Any]) -> None:
        revived = self._state.kind == "restarting"
        taken = {str(id_): int(size) for id_, size in (event.get("taken") or {}).items()}
        measured = sum(int(size) for size in (event.get("measured") or {}).values())
        self._set(replace(self._state, kind="ready", percent=100, reason="", taken=taken, measured_bytes=measured))
        if revived:
            self.restarted.emit()

    def _on_ended(self, turn: int, error: AppError | Cancelled) -> None:
        """Start an engine again that was ready and ended by itself; a second time at once is a failure."""
        lately = time.monotonic() - self._revived_s < REVIVE_AGAIN_S
        if self._state.kind == "ready" and isinstance(error, AppError) and not lately:
            self._revive(error.message)
        else:
            self._on_failed(turn, error)

    def _on_failed(self, turn: int, error: AppError | Cancelled) -> None:
        if turn == self._turn and isinstance(error, AppError):
            old = self._take_engine()
            self._set(replace(self._state, kind="failed", reason=error.message, hint=error.hint, error_kind=error.kind))
            self._tasks.run(lambda _: self._end(old))


def _error_of(event: Mapping[str, Any]) -> AppError | Cancelled:
    return from_event(str(event.get("kind")), str(event.get("message")), str(event.get("hint") or ""))
