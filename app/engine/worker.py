"""The child that holds the model: requests in on stdin, tokens out on stdout, one JSON object a line.

In:  {"op":"load","path","plan","rpc","skeletons","look","lenient"} first; then {"op":"generate","id","prompt",…},
     {"op":"cancel","id"}, {"op":"tokenize","id","text"}. Out: progress, loaded or failed (with the bytes that are
missing by device where it looked for room first); then start, prompt, text, end, error, tokens with the request's id,
and alive every 2 s. failed may also come later: memory ran out. The end of stdin means that the front is gone: the
process ends at once, also inside native code.
"""

import json
import os
import queue
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from app.core.errors import AppError, Cancelled, EngineFailed, NotEnoughMemory
from app.engine.patience import LOAD_S, Patience, most_step_s
from app.engine.room import NoRoom, exact_use, free_memory, missing_room, real_use
from app.engine.scheduler import PROGRESS_EVERY_S, Request, Scheduler
from app.jobs.child import Emitter, claim_stdout, exit_now
from app.llama.devices import start_engine_library
from app.llama.rpc import add_server
from app.llama.rpc_alive import keep_watch
from app.llama.session import Session, SessionOptions, load_session
from app.llama.session_sampler import Sampling
from app.plan.values import used_gpus

Command = dict[str, Any]

BEAT_S = 2.0
LENDER_SILENT = "The computer that lends its memory has stopped answering."
WARM_TOKENS, WARM_TOKENS_ON_CPU = 8, 2


class Inbox:
    """Commands from the front; a thread of its own reads them so that a cancel can interrupt a decode."""

    def __init__(self) -> None:
        self._commands: queue.SimpleQueue[Command] = queue.SimpleQueue()
        self._session: Session | None = None
        self._scheduler: Scheduler | None = None
        threading.Thread(target=self._read, name="commands", daemon=True).start()

    def attach(self, session: Session, scheduler: Scheduler) -> None:
        """Let cancels abort what the session decodes."""
        self._session, self._scheduler = session, scheduler

    def next(self, wait: bool) -> Command | None:
        """Return the next command; None when there is none and `wait` is false."""
        try:
            return self._commands.get(block=wait)
        except queue.Empty:
            return None

    def _read(self) -> None:
        for line in sys.stdin:
            command = json.loads(line)
            command["received_s"] = time.perf_counter()
            self._commands.put(command)
            if command["op"] == "cancel":
                self._interrupt(command["id"])
        exit_now()

    def _interrupt(self, request_id: int) -> None:
        if self._session is not None and self._scheduler is not None and self._scheduler.reads(request_id):
            self._session.abort()


def main() -> int:
    """Load what the first line names, then serve until stdin ends."""
    emitter = claim_stdout()
    inbox = Inbox()
    first = inbox.next(wait=True)
    assert first is not None
    patience = Patience()
    threading.Thread(target=_beat, args=(emitter, patience), name="heartbeat", daemon=True).start()
    lent = bool(first.get("rpc"))
    try:
        with patience.step(LOAD_S if lent else None):
            session = _load(first, emitter, patience)
    except NoRoom as error:
        emitter.emit({"event": "failed", **error.as_event(), "missing": error.missing})
        return 1
    except (AppError, Cancelled) as error:
        emitter.failed(error)
        return 1
    most_s = most_step_s(first["plan"], lent)
    scheduler = Scheduler(session, emitter.emit)
    inbox.attach(session, scheduler)
    try:
        while True:
            _obey(inbox, scheduler, session, emitter)
            with patience.step(most_s):
                scheduler.step()
    except NotEnoughMemory as error:
        emitter.failed(error)
        return 1


def _beat(emitter: Emitter, patience: Patience) -> None:
    """Tell the front every 2 s that this process runs, also while the main thread is deep in a long decode.

    A main thread that waits for a lender without an end cannot be woken: the process ends, and the front goes on.
    """
    pause = threading.Event()
    while not pause.wait(BEAT_S):
        if patience.is_over:
            emitter.failed(EngineFailed(LENDER_SILENT))
            exit_now()
        emitter.emit({"event": "alive"})


def _obey(inbox: Inbox, scheduler: Scheduler, session: Session, emitter: Emitter) -> None:
    """Take all commands that are there; wait for one when nothing is under way."""
    command = inbox.next(wait=not scheduler.busy)
    while command is not None:
        if command["op"] == "generate":
            scheduler.submit(_request(command))
        elif command["op"] == "cancel":
            scheduler.cancel(command["id"])
        elif command["op"] == "tokenize":
            tokens = session.vocabulary.tokenize(command["text"], add_special=command.get("add_special", False))
            emitter.emit({"event": "tokens", "id": command["id"], "tokens": tokens})
        command = inbox.next(wait=False)


def _request(command: Command) -> Request:
    return Request(
        id=command["id"],
        prompt=command["prompt"],
        sampling=Sampling(**command.get("sampling", {})),
        max_tokens=command.get("max_tokens"),
        stops=tuple(command.get("stops", ())),
        written=command.get("written", ""),
        received_s=command["received_s"],
    )


def _load(command: Command, emitter: Emitter, patience: Patience) -> Session:
    path, plan = Path(command["path"]), command["plan"]
    options = _options(plan)
    gpus = [device["id"] for device in plan["devices"]]
    started_s = time.perf_counter()
    if servers := command.get("rpc"):
        start_engine_library()
        _add_servers(servers, lenient=command.get("lenient", False))
    use = exact_use(path, Path(command["skeletons"]), options, plan)
    free = free_memory(gpus)
    if command.get("look") and (missing := missing_room(plan, use, free)):
        raise NoRoom(path.stem, missing)
    try:
        session = load_session(path, options, _progress(path, emitter, patience))
    except OSError as error:
        raise EngineFailed(f"Loading {path.name} failed: {error}") from error
    keep_watch(command.get("rpc") or [])
    session.warm_up(WARM_TOKENS if plan["verdict"] == "gpu" else WARM_TOKENS_ON_CPU)
    left = free_memory(gpus)
    emitter.emit(
        {
            "event": "loaded",
            "load_s": round(time.perf_counter() - started_s, 4),
            "model": _about(session),
            "predicted": use,
            "measured": real_use(session.llama, session.context, gpus),
            "taken": {device: free[device] - left[device] for device in free},
        }
    )
    return session


def _add_servers(endpoints: list[str], lenient: bool) -> None:
    """Register lent computers; lenient: the plan was made again and may do without those that are gone."""
    for endpoint in endpoints:
        try:
            add_server(endpoint)
        except AppError:
            if not lenient:
                raise


def _progress(path: Path, emitter: Emitter, patience: Patience) -> Callable[[float], bool]:
    total_bytes = path.stat().st_size if path.exists() else 0
    shown_s = 0.0

    def on_progress(part: float) -> bool:
        nonlocal shown_s
        patience.renew()
        if part >= 1 or time.perf_counter() - shown_s >= PROGRESS_EVERY_S:
            shown_s = time.perf_counter()
            emitter.progress("load", int(part * total_bytes), total_bytes)
        return True

    return on_progress


def _about(session: Session) -> dict[str, Any]:
    return {
        "n_ctx": session.n_ctx,
        "n_ctx_train": session.n_ctx_train,
        "parallel": session.parallel,
        "chat_template": session.chat_template(),
        "bos": session.vocabulary.bos,
        "eos": session.vocabulary.eos,
    }


def _options(plan: dict[str, Any]) -> SessionOptions:
    gpus, split = used_gpus([device["id"] for device in plan["devices"]], plan["tensor_split"])
    return SessionOptions(
        n_gpu_layers=plan["n_gpu_layers"],
        context=plan["context"],
        kv_type=plan["kv_type"],
        n_ubatch=plan["n_ubatch"],
        n_outputs_max=plan["n_outputs_max"],
        n_threads=plan["n_threads"],
        parallel=plan["parallel"],
        gpus=gpus,
        tensor_split=split,
        tensor_overrides=tuple((override["pattern"], override["device"]) for override in plan["tensor_overrides"]),
    )


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    # Native threads may still run: leave without waiting for them.
    os._exit(code)
