"""A job: one child process that reports events and ends with a result or an error."""

import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from subprocess import TimeoutExpired
from typing import Any

from app.core.errors import AppError, Cancelled, EngineFailed, from_event
from app.jobs.process import (
    Event,
    close_stdin,
    describe_exit,
    log_tail,
    read_events,
    send_line,
    start_process,
)

CANCEL_GRACE_S = 3.0
DRAIN_S = 2.0


class Job:
    """A running child that speaks the protocol of `--events --watch-stdin`.

    `on_event` is called on the job's reader thread for every line but the last. The child sees its stdin's end
    when this process is gone.
    """

    def __init__(
        self,
        command: Sequence[str],
        on_event: Callable[[Event], None],
        log: Path,
        environment: Mapping[str, str] | None = None,
        *,
        secrets: bool = True,
    ) -> None:
        self._on_event = on_event
        self._log = log
        self._log_start_bytes = log.stat().st_size if log.exists() else 0
        self._final: Event | None = None
        self._cancelled = threading.Event()
        self._name = " ".join(part for part in command if not part.startswith("-"))[:80]
        self._process = start_process(command, log, environment, secrets=secrets)
        self._reader = threading.Thread(target=self._read, name=f"job {self._process.pid}", daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the child still lives."""
        return self._process.poll() is None

    def cancel(self) -> None:
        """Ask the child to stop; kill it when it has not after 3 s. Returns at once."""
        self._cancelled.set()
        send_line(self._process, "cancel")
        threading.Thread(target=self._kill_late, name=f"cancel {self.pid}", daemon=True).start()

    def wait(self, timeout_s: float | None = None) -> dict[str, Any]:
        """Return the job's result once the child has ended.

        Raises the AppError that the child reported, EngineFailed when it died without a word, Cancelled after
        cancel(), TimeoutError when `timeout_s` passes first (the child goes on).
        """
        try:
            returncode = self._process.wait(timeout_s)
        except TimeoutExpired as error:
            raise TimeoutError(f"{self._name} still runs after {timeout_s} s") from error
        # The pipe's end may be held open by a grandchild: wait for the process, then a little for its last lines.
        self._reader.join(DRAIN_S)
        close_stdin(self._process)
        return self._outcome(returncode)

    def _outcome(self, returncode: int) -> dict[str, Any]:
        final = self._final
        if final is not None and final["event"] == "done":
            result = final.get("result")
            return result if isinstance(result, dict) else {}
        if self._cancelled.is_set():
            raise Cancelled
        if final is not None:
            raise from_event(str(final.get("kind")), str(final.get("message")), str(final.get("hint") or ""))
        raise self._silent_death(returncode)

    def _silent_death(self, returncode: int) -> AppError:
        return EngineFailed(
            f"The process for '{self._name}' ended without an answer ({describe_exit(returncode)}).",
            hint=f"Try again; what it said last stands in {self._log}.",
            detail=log_tail(self._log, self._log_start_bytes),
        )

    def _read(self) -> None:
        for event in read_events(self._process):
            if event.get("event") in ("done", "failed"):
                self._final = event
            else:
                self._on_event(event)

    def _kill_late(self) -> None:
        try:
            self._process.wait(CANCEL_GRACE_S)
        except TimeoutExpired:
            self._process.kill()
            self._process.wait()


def run_job(
    command: Sequence[str],
    on_event: Callable[[Event], None],
    log: Path,
    cancel: threading.Event | None = None,
    *,
    secrets: bool = True,
) -> dict[str, Any]:
    """Run a job to its end on this thread; setting `cancel` calls it off. Raises as Job.wait does."""
    job = Job(command, on_event, log, secrets=secrets)
    try:
        while True:
            try:
                return job.wait(0.1 if cancel is not None else None)
            except TimeoutError:
                if cancel is not None and cancel.is_set():
                    job.cancel()
                    return job.wait()
    except KeyboardInterrupt:
        job.cancel()
        job.wait()
        raise
