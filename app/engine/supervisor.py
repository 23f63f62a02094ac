"""A running engine as its user sees it: a child `pronk serve` and what it tells."""

import math
import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from subprocess import Popen, TimeoutExpired
from typing import Any

from app.core.errors import AppError, Cancelled, EngineFailed, from_event
from app.jobs.process import Event, close_stdin, describe_exit, log_tail, read_events, start_process

OnEvent = Callable[[Mapping[str, Any]], None]

READY_TIMEOUT_S = 60.0
END_S = 2.0
SILENCE_S = 20.0
LOOK_EVERY_S = 1.0


class Engine:
    """A child that serves one model. It ends when this process ends, however that happens.

    `on_event` hears every event of the child but its heartbeat, the last one included, on a reader thread. A child
    that is silent for 20 s though it beats every 2 s (memory ran out where it could not say so) is ended.
    States: "loading", "ready", "restarting", "failed", "closed".
    """

    def __init__(self, command: Sequence[str], log: Path, on_event: OnEvent) -> None:
        self.url = ""
        self.api_key = ""
        self.engine_pid = 0
        self.plan: Mapping[str, Any] = {}
        self.state = "loading"
        self._on_event = on_event
        self._log = log
        self._log_start_bytes = log.stat().st_size if log.exists() else 0
        self._failed: Event | None = None
        self._heard_s = math.inf  # no silence counts before the first beat, nor while an event is handled
        self._is_silent = False
        self._over = threading.Event()
        self._first: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._process: Popen[str] = start_process(command, log)
        self._reader = threading.Thread(target=self._read, name=f"engine {self._process.pid}", daemon=True)
        self._reader.start()
        threading.Thread(target=self._watch, name=f"silence of {self._process.pid}", daemon=True).start()

    @property
    def pid(self) -> int:
        """The front's process id."""
        return self._process.pid

    def wait_ready(self, timeout_s: float = READY_TIMEOUT_S) -> None:
        """Wait until url and api_key are known (the model may still load).

        Raises the error that the child ended with, EngineFailed when it says nothing for `timeout_s`.
        """
        try:
            opened = self._first.get(timeout=timeout_s)
        except queue.Empty:
            self.close()
            raise EngineFailed(f"The engine did not start within {timeout_s:g} s.", detail=self._tail()) from None
        if not opened:
            self.close()
            raise self._error()

    def close(self) -> None:
        """End the engine; returns when it has ended."""
        if self.state != "failed":
            self.state = "closed"
        close_stdin(self._process)
        try:
            self._process.wait(END_S)
        except TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if threading.current_thread() is not self._reader:
            self._reader.join(END_S)

    def _read(self) -> None:
        opened = beats = False
        for event in read_events(self._process):
            self._heard_s = math.inf
            if event["event"] == "alive":
                beats = True
            else:
                self._take(event)
                if event["event"] == "ready":
                    opened = True
                    self._first.put(True)
                self._on_event(event)
            self._heard_s = time.monotonic() if beats else math.inf
        self._process.wait()
        self._over.set()
        if self._failed is None and self.state != "closed":
            self.state = "failed"
            self._on_event({"event": "failed", **self._silent_end().as_event()})
        if not opened:
            self._first.put(False)

    def _watch(self) -> None:
        """End a silent child. It must be found so twice: after a stop of this very process, events are still unread."""
        while not self._over.wait(LOOK_EVERY_S):
            was_silent, self._is_silent = self._is_silent, time.monotonic() - self._heard_s > SILENCE_S
            if was_silent and self._is_silent:
                self._process.kill()
                return

    def _take(self, event: Event) -> None:
        kind = event.get("event")
        if kind == "ready":
            self.url, self.api_key = event["url"], event["api_key"]
            self.engine_pid, self.plan = event["engine_pid"], event["plan"]
        elif kind == "loaded":
            self.state = "ready"
        elif kind == "engine_died":
            self.state = "restarting"
        elif kind == "replanned":
            self.engine_pid, self.plan = event["engine_pid"], event["plan"]
        elif kind == "restarted":
            self.state = "ready"
            self.engine_pid, self.plan = event["engine_pid"], event["plan"]
        elif kind == "failed":
            self.state, self._failed = "failed", event

    def _error(self) -> AppError | Cancelled:
        if self._failed is None:
            return self._silent_end()
        return from_event(
            str(self._failed["kind"]), str(self._failed["message"]), str(self._failed.get("hint") or ""), self._tail()
        )

    def _silent_end(self) -> EngineFailed:
        if self._is_silent:
            return EngineFailed(
                f"The engine gave no sign of life for {SILENCE_S:g} s and was ended.",
                hint="Memory may have run out: close other programs, or choose a smaller context.",
                detail=self._tail(),
            )
        return EngineFailed(
            f"The engine ended without a word ({describe_exit(self._process.wait())}).",
            hint=f"What it said last stands in {self._log}.",
            detail=self._tail(),
        )

    def _tail(self) -> str:
        return log_tail(self._log, self._log_start_bytes)
