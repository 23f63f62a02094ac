"""What a conversion tells whoever started it, and how it is told to stop."""

import json
import os
import threading
import time
from collections.abc import Callable
from typing import Any, Protocol, TextIO

from converters.errors import Cancelled
from converters.jsonfile import JsonObject

_MIN_INTERVAL_S = 0.1


class Cancel:
    """A flag that any thread may raise once; callbacks end what cannot look at a flag."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._lock = threading.Lock()
        self._callbacks: list[Callable[[], None]] = []

    def on_cancel(self, callback: Callable[[], None]) -> None:
        """Call back from the raising thread; at once if it is raised already."""
        with self._lock:
            self._callbacks.append(callback)
        if self._event.is_set():
            callback()

    def request(self) -> None:
        """Raise the flag."""
        self._event.set()
        with self._lock:
            callbacks = list(self._callbacks)
        for callback in callbacks:
            callback()

    def check(self) -> None:
        """Raise Cancelled when the flag is up."""
        if self._event.is_set():
            raise Cancelled


class Listener(Protocol):
    """Takes the progress of a conversion."""

    def progress(self, phase: str, done_bytes: int, total_bytes: int, tensor: str) -> None:
        """Phase is read, quantize, write or check; bytes count within the phase."""
        ...


class Silent:
    """Listens to nothing."""

    def progress(self, phase: str, done_bytes: int, total_bytes: int, tensor: str) -> None:
        """Drop it."""


class JsonLines:
    """Writes each event as one line of JSON; progress at most ten times a second."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._start = time.monotonic()
        self._next = 0.0
        self._phase = ""
        self._lock = threading.Lock()

    def progress(self, phase: str, done_bytes: int, total_bytes: int, tensor: str) -> None:
        """Write a progress event, unless one was just written; the first and last of a phase always are."""
        elapsed_s = time.monotonic() - self._start
        with self._lock:
            if elapsed_s < self._next and phase == self._phase and done_bytes < total_bytes:
                return
            self._next, self._phase = elapsed_s + _MIN_INTERVAL_S, phase
            self._write(
                {"event": "progress", "phase": phase, "done_bytes": done_bytes, "total_bytes": total_bytes,
                 "tensor": tensor, "elapsed_s": round(elapsed_s, 3)}
            )  # fmt: skip

    def done(self, result: JsonObject) -> None:
        """Write the last line of a success."""
        self._write({"event": "done", "result": result})

    def failed(self, kind: str, message: str, hint: str) -> None:
        """Write the last line of a failure."""
        self._write({"event": "failed", "kind": kind, "message": message, "hint": hint})

    def _write(self, event: dict[str, Any]) -> None:
        self._out.write(json.dumps(event, ensure_ascii=False) + "\n")
        self._out.flush()


class TextBar:
    """Draws progress on one line of a terminal."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._next = 0.0

    def progress(self, phase: str, done_bytes: int, total_bytes: int, tensor: str) -> None:
        """Redraw the line, at most ten times a second."""
        now = time.monotonic()
        if now >= self._next or done_bytes >= total_bytes:
            self._next = now + _MIN_INTERVAL_S
            percent = 100 * done_bytes // max(total_bytes, 1)
            self._out.write(f"\r\x1b[K{phase} {percent:3d} %  {tensor}")
            self._out.write("\n" if done_bytes >= total_bytes else "")
            self._out.flush()


def watch_stdin(cancel: Cancel) -> None:
    """Raise the flag on a line "cancel", and on end of file: the parent is gone. Returns at once; a thread reads."""

    def watch() -> None:
        waiting = b""
        while chunk := os.read(0, 4096):  # not sys.stdin: its lock, held here, would abort the interpreter's end
            *lines, waiting = (waiting + chunk).split(b"\n")
            if any(line.strip() == b"cancel" for line in lines):
                break
        cancel.request()

    threading.Thread(target=watch, name="watch-stdin", daemon=True).start()
