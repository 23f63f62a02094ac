"""The child's side: JSON lines out, the parent's end and its wishes in."""

import json
import os
import queue
import sys
import threading
from collections.abc import Callable, Mapping
from typing import Any, TextIO

from app.core.errors import AppError, Cancelled

Handler = Callable[[dict[str, Any]], dict[str, Any]]


class Emitter:
    """Writes one JSON object a line, from any thread."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def emit(self, event: Mapping[str, Any]) -> None:
        """Write one event; a parent that is gone is not an error here, its stdin end tells."""
        line = json.dumps(event, ensure_ascii=False, separators=(",", ":"))
        with self._lock:
            try:
                self._stream.write(line + "\n")
                self._stream.flush()
            except (OSError, ValueError):
                return

    def progress(self, phase: str, done_bytes: int, total_bytes: int, **more: Any) -> None:
        """Write a progress event of the contract."""
        self.emit(
            {
                "event": "progress",
                "phase": phase,
                "done_bytes": done_bytes,
                "total_bytes": total_bytes,
                **more,
            }
        )

    def done(self, result: Mapping[str, Any]) -> None:
        """Write the last event of a job that succeeded."""
        self.emit({"event": "done", "result": result})

    def failed(self, error: AppError | Cancelled) -> None:
        """Write the last event of a job that failed or was cancelled."""
        fields = error.as_event() if isinstance(error, AppError) else _cancelled_fields()
        self.emit({"event": "failed", **fields})


def _cancelled_fields() -> dict[str, str]:
    return {"kind": Cancelled.kind, "message": "Cancelled.", "hint": ""}


def claim_stdout() -> Emitter:
    """Keep stdout for the protocol alone: native code that prints goes to stderr from here on."""
    sys.stdout.flush()
    protocol = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1, newline="\n")
    os.dup2(2, 1)
    return Emitter(protocol)


def watch_stdin(on_cancel: Callable[[], None], on_parent_gone: Callable[[], None] | None = None) -> threading.Thread:
    """Start a thread that heeds the parent: `on_cancel` for a line "cancel", `on_parent_gone` at end of file.

    By default a parent's end ends this process at once.
    """

    def watch() -> None:
        for line in sys.stdin:
            if line.strip() == "cancel":
                on_cancel()
        (on_parent_gone or exit_now)()

    thread = threading.Thread(target=watch, name="watch stdin", daemon=True)
    thread.start()
    return thread


def exit_now() -> None:
    """End this process at once, whatever its other threads do."""
    os._exit(0)


def serve_requests(handlers: Mapping[str, Handler], emitter: Emitter) -> None:
    """Answer requests `{"id":…,"op":…}` from stdin one after the other until the parent is gone.

    The answer is `{"id":…,"result":…}` or `{"id":…,"kind":…,"message":…,"hint":…}`. Stdin is read on a thread of
    its own, so that a parent's end is seen while a handler is inside native code.
    """
    requests: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()

    def read() -> None:
        for line in sys.stdin:
            requests.put(json.loads(line))
        exit_now()

    threading.Thread(target=read, name="requests", daemon=True).start()
    while True:
        emitter.emit(_answer(handlers, requests.get()))


def _answer(handlers: Mapping[str, Handler], request: dict[str, Any]) -> dict[str, Any]:
    try:
        handler = handlers[request["op"]]
        return {"id": request["id"], "result": handler(request)}
    except AppError as error:
        return {"id": request.get("id"), **error.as_event()}
    except Exception as error:  # noqa: BLE001 - the border of the process: whatever it is, the parent must hear it
        return {
            "id": request.get("id"),
            "kind": "bug",
            "message": f"{type(error).__name__}: {error}",
            "hint": "",
        }
