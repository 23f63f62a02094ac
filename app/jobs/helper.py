"""A helper: a resident child that answers one JSON request at a time, and is started again when it dies."""

import itertools
import json
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from queue import Empty, SimpleQueue
from subprocess import Popen, TimeoutExpired
from typing import Any

from app.core.errors import EngineFailed, from_event
from app.jobs.process import (
    Event,
    close_stdin,
    describe_exit,
    log_tail,
    read_events,
    send_line,
    start_process,
)

END_S = 2.0


class Helper:
    """Asks a child started on first use; any thread may ask, one request runs at a time."""

    def __init__(self, command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None) -> None:
        self._command = command
        self._log = log
        self._environment = environment
        self._lock = threading.Lock()
        self._ids = itertools.count(1)
        self._process: Popen[str] | None = None
        self._answers: SimpleQueue[Event | None] = SimpleQueue()

    def ask(self, op: str, timeout_s: float, **fields: Any) -> dict[str, Any]:
        """Return the child's answer to `op`.

        Raises the AppError that the child answers with, and EngineFailed when it dies or is silent for
        `timeout_s` (it is killed then; the next request starts a new one).
        """
        with self._lock:
            process = self._running()
            request_id = next(self._ids)
            answer = self._exchange(process, {"id": request_id, "op": op, **fields}, timeout_s)
        if "result" in answer:
            result: dict[str, Any] = answer["result"]
            return result
        raise from_event(str(answer.get("kind")), str(answer.get("message")), str(answer.get("hint") or ""))

    def close(self) -> None:
        """End the child; a later request starts a new one."""
        with self._lock:
            self._end()

    def _running(self) -> "Popen[str]":
        if self._process is not None and self._process.poll() is None:
            return self._process
        self._end()
        process = start_process(self._command, self._log, self._environment)
        answers: SimpleQueue[Event | None] = SimpleQueue()
        threading.Thread(target=_read, args=(process, answers), name=f"helper {process.pid}", daemon=True).start()
        self._process, self._answers = process, answers
        return process

    def _exchange(self, process: "Popen[str]", request: dict[str, Any], timeout_s: float) -> Event:
        send_line(process, json.dumps(request, ensure_ascii=False))
        try:
            answer = self._answers.get(timeout=timeout_s)
        except Empty:
            process.kill()
            self._end()
            raise EngineFailed(
                f"The helper for '{request['op']}' did not answer within {timeout_s:g} s.",
                hint="A driver may hang. Pronk goes on without this answer; restarting the computer often helps.",
                detail=log_tail(self._log),
            ) from None
        if answer is None or answer.get("id") != request["id"]:
            raise self._death(process, request["op"])
        return answer

    def _death(self, process: "Popen[str]", op: str) -> EngineFailed:
        process.kill()
        returncode = process.wait()
        self._end()
        return EngineFailed(
            f"The helper for '{op}' crashed ({describe_exit(returncode)}).",
            hint=f"What it said last stands in {self._log}.",
            detail=log_tail(self._log),
        )

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        close_stdin(process)
        try:
            process.wait(END_S)
        except TimeoutExpired:
            process.kill()
            process.wait()


def _read(process: "Popen[str]", answers: "SimpleQueue[Event | None]") -> None:
    for event in read_events(process):
        answers.put(event)
    answers.put(None)
