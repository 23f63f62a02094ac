"""The front's side of the worker: starts it, passes requests, and starts it again when it dies."""

import asyncio
import contextlib
import itertools
import json
import logging
import queue
import sys
import threading
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from subprocess import Popen, TimeoutExpired
from typing import Any

from app.core.errors import AppError, Cancelled, EngineFailed, NotEnoughMemory, from_event
from app.engine.oom import oom_kills
from app.engine.open_requests import OpenRequest
from app.engine.recovery import Death, Lesson, Tries, has_spilled, lesson_of, sentence
from app.jobs.commands import module_command
from app.jobs.process import close_stdin, describe_exit, log_tail, read_events, send_line, start_process

Event = dict[str, Any]
OnEvent = Callable[[Mapping[str, Any]], None]

CRASHES_MAX = 3
CRASH_WINDOW_S = 300.0
END_S = 1.0
SILENCE_S = 10.0
_log_of_front = logging.getLogger(__name__)
NO_TEMPLATE = "This model has no chat template; Pronk uses ChatML, which may not suit it."


Replan = Callable[[Lesson], Mapping[str, Any]]
"""The port to the planner: what ran out -> the document of another plan. Takes seconds; raises what makes it
impossible."""


@dataclass(frozen=True)
class Served:
    """What is served: the file, the name clients use, the plan's document (the contract's fields), RPC servers.

    skeletons: the folder that dry runs keep models' headers in. looks_first: whether a load is called off where memory
    that the plan counted on is gone; not so for a user who insists.
    """

    path: Path
    model_id: str
    plan: Mapping[str, Any]
    skeletons: Path
    replan: Replan
    rpc: tuple[str, ...] = ()
    looks_first: bool = True

    @property
    def parallel(self) -> int:
        """How many answers are written at the same time."""
        return int(self.plan["parallel"])


class Host:
    """Owns the worker. All methods run on the event loop; only the reader and watcher threads do not."""

    def __init__(self, served: Served, log: Path, on_event: OnEvent) -> None:
        self.served = served
        self._tries = Tries()
        self._planning: asyncio.Future[None] | None = None
        self._oom_kills = 0
        self.state = "loading"
        self.load_part = 0.0
        self.model: Mapping[str, Any] = {}
        self.failure: AppError | None = None
        self.ended = asyncio.Event()
        self._log = log
        self._on_event = on_event
        self._loop = asyncio.get_running_loop()
        self._ids = itertools.count(1)
        self._open: dict[int, OpenRequest] = {}
        self._ready = asyncio.Event()
        self._crashes: deque[float] = deque(maxlen=CRASHES_MAX)
        self._said_failed: Event | None = None
        self._log_start_bytes = 0
        self._process: Popen[str] | None = None
        self._outbox: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._stopping = False
        self._heard_s = 0.0

    @property
    def engine_pid(self) -> int:
        """The worker's process id."""
        return self._process.pid if self._process else 0

    def start(self) -> None:
        """Start the worker; it loads in the background."""
        self._log_start_bytes = self._log.stat().st_size if self._log.exists() else 0
        self._said_failed, self._oom_kills = None, oom_kills()
        process = start_process(module_command("app.engine.worker"), self._log)
        self._process = process
        plan = {key: value for key, value in self.served.plan.items() if key != "alternatives"}
        self._outbox = queue.SimpleQueue()
        threading.Thread(target=_write, args=(process, self._outbox), name="worker's commands", daemon=True).start()
        replanned = bool(self._tries.times_s)
        self._tell(
            {
                "op": "load",
                "path": str(self.served.path),
                "plan": plan,
                "rpc": self.served.rpc,
                "skeletons": str(self.served.skeletons),
                "look": self.served.looks_first or replanned,
                "lenient": replanned,
            }
        )
        reader = threading.Thread(target=self._read, args=(process,), name="worker's events", daemon=True)
        reader.start()
        threading.Thread(target=self._watch, args=(process, reader), name="worker's end", daemon=True).start()

    def stop(self) -> None:
        """End the worker and every open request."""
        self._stopping = True
        self.state = "stopped"
        self._fail_open(EngineFailed("Pronk's engine is being stopped."))
        process = self._process
        if process is None:
            return
        self.failure = self.failure or EngineFailed("Pronk's engine is being stopped.")
        self._ready.set()
        self._outbox.put(None)
        try:
            process.wait(END_S)
        except TimeoutExpired:
            process.kill()
            process.wait()

    async def ready(self) -> None:
        """Wait until the model is loaded; raises the error that keeps it from loading."""
        await self._ready.wait()
        if self.failure is not None:
            raise self.failure

    async def generate(self, fields: Mapping[str, Any]) -> AsyncGenerator[list[Event], None]:
        """Yield the worker's events of one answer until "end", those that wait together; leaving early cancels it.

        Raises the AppError that ended it instead.
        """
        await self.ready()
        request_id, events = self._send({"op": "generate", **fields})
        ended = False
        try:
            while not ended:
                some = [await events.get()]
                while not events.empty():
                    some.append(events.get_nowait())
                ended = some[-1]["event"] in ("end", "error")
                error = _error_of(some.pop()) if some[-1]["event"] == "error" else None
                yield some
                if error is not None:
                    raise error
        finally:
            self._open.pop(request_id, None)
            if not ended:
                self._tell({"op": "cancel", "id": request_id})

    async def tokenize(self, text: str, add_special: bool = False) -> list[int]:
        """Return the model's tokens of `text`."""
        await self.ready()
        request_id, events = self._send({"op": "tokenize", "text": text, "add_special": add_special})
        try:
            event = await events.get()
        finally:
            self._open.pop(request_id, None)
        if event["event"] == "error":
            raise _error_of(event)
        tokens: list[int] = event["tokens"]
        return tokens

    def _send(self, command: Event) -> tuple[int, "asyncio.Queue[Event]"]:
        request_id = next(self._ids)
        request = self._open[request_id] = OpenRequest({**command, "id": request_id})
        self._tell(request.command)
        return request_id, request.events

    def _tell(self, command: Event) -> None:
        self._outbox.put(json.dumps(command))

    def _read(self, process: "Popen[str]") -> None:
        try:
            for event in read_events(process):
                self._on_loop(self._take, process, event)
        except MemoryError:  # nobody hears this worker any more: its end is heard
            process.kill()

    def _watch(self, process: "Popen[str]", reader: threading.Thread) -> None:
        returncode = process.wait()
        reader.join(END_S)
        self._on_loop(self._died, process, returncode)

    def _on_loop(self, handle: Callable[..., None], *arguments: Any) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: the front is ending
            self._loop.call_soon_threadsafe(self._guarded, handle, *arguments)

    def _guarded(self, handle: Callable[..., None], *arguments: Any) -> None:
        """Handle what a thread heard; where that fails (no memory for a thread), clients must not wait for ever."""
        try:
            handle(*arguments)
        except Exception as error:  # noqa: BLE001 - the border of the loop
            _log_of_front.exception("a fault in the front")
            self._give_up(_cannot_go_on(error))

    def _take(self, process: "Popen[str]", event: Event) -> None:
        if process is not self._process:
            return
        self._heard_s = time.monotonic()
        request = self._open.get(event.get("id", 0))
        if request is not None:
            request.take(event)
            if event["event"] == "end" and sys.platform == "win32" and len(self._open) == 1:
                self._tell_if_slow(event)
        elif event["event"] == "progress":
            self.load_part = event["done_bytes"] / max(1, event["total_bytes"])
            self._on_event(event)
        elif event["event"] == "loaded":
            self._loaded(event)
        elif event["event"] == "failed":
            self._said_failed = event

    def _tell_if_slow(self, end: Event) -> None:
        n_tokens = int((end.get("usage") or {}).get("completion_tokens", 0))
        tokens_per_s = float((end.get("timings") or {}).get("decode_tokens_per_s", 0.0))
        if not has_spilled(self.served.plan, n_tokens, tokens_per_s):
            return
        reason = (
            f"The model writes {tokens_per_s:.1f} tokens/s where more than twice as many were foretold: the graphics "
            "card's memory is probably full. Fewer layers on the GPU (--gpu-layers) may be faster."
        )
        self._on_event({"event": "slow", "reason": reason})

    def _require_sign_of_life(self, process: "Popen[str]", was_silent: bool = False) -> None:
        """End a worker that was silent for 10 s though it beats every 2 s (stopped, say): its end restarts it.

        It must be found silent twice: after a stop of this very process the first look only finds unread events.
        """
        if self._stopping or process is not self._process or process.poll() is not None:
            return
        is_silent = time.monotonic() - self._heard_s > SILENCE_S
        if is_silent and was_silent:
            process.kill()
            return
        self._loop.call_later(1.0, self._require_sign_of_life, process, is_silent)

    def _loaded(self, event: Event) -> None:
        self.model = event["model"]
        if self._process is not None:
            self._require_sign_of_life(self._process)
        again = self.state == "restarting"
        self.state, self.load_part = "ready", 1.0
        self._ready.set()
        loaded = {"event": "loaded", "load_s": event["load_s"], "chat_template": "model"}
        loaded |= {name: event[name] for name in ("predicted", "measured", "taken")}
        if not self.model["chat_template"]:
            loaded |= {"chat_template": "chatml", "note": NO_TEMPLATE}
        self._on_event(loaded)
        if again:
            self._on_event({"event": "restarted", "engine_pid": self.engine_pid, "plan": self.served.plan})
        for request in self._open.values():
            if not request.ended:
                self._tell(request.again())

    def _died(self, process: "Popen[str]", returncode: int) -> None:
        if self._stopping or process is not self._process:
            return
        self._outbox.put(None)
        tail = log_tail(self._log, self._log_start_bytes)
        death = self._death(returncode, tail)
        if self._recovers(death):
            return
        if self._said_failed is not None:
            self._give_up(_error_of(self._said_failed))
        elif self.state == "loading":
            self._give_up(_cannot_load(self.served.path, returncode, tail))
        else:
            self._start_again(death.reason, tail)

    def _death(self, returncode: int, tail: str) -> Death:
        failed = self._said_failed or {}
        reason = failed.get("message") or f"The engine's process ended unexpectedly ({describe_exit(returncode)})."
        return Death(
            phase="run" if self.state == "ready" else "load",
            reason=reason,
            returncode=returncode,
            said=f"{reason}\n{tail}",
            missing=failed.get("missing", {}),
            oom_killed=oom_kills() > self._oom_kills,
        )

    def _recovers(self, death: Death) -> bool:
        """Plan again when memory was the cause and there were not enough tries yet; open requests wait for it."""
        tries = self._tries.next(time.monotonic())
        lesson = lesson_of(death, self.served.plan, tries.is_last) if tries is not None else None
        if tries is None or lesson is None:
            return False
        self._tries = tries
        if death.phase == "run":
            self._on_event({"event": "engine_died", "reason": death.reason})
            self.state = "restarting"
        self.load_part = 0.0
        self._ready.clear()
        self._planning = asyncio.ensure_future(self._start_with_another_plan(lesson))
        return True

    async def _start_with_another_plan(self, lesson: Lesson) -> None:
        try:
            plan = await asyncio.to_thread(self.served.replan, lesson)
        except AppError as error:
            self._give_up(_no_plan(lesson, error))
            return
        except Exception:  # noqa: BLE001 - the border of a task: clients must not wait for ever
            _log_of_front.exception("a fault while planning again")
            self._give_up(EngineFailed(lesson.reason))
            return
        if not self._stopping:
            self._guarded(self._start_replanned, lesson, plan)

    def _start_replanned(self, lesson: Lesson, plan: Mapping[str, Any]) -> None:
        self.served = replace(self.served, plan=plan)
        self.start()
        reason = sentence(lesson, plan)
        self._on_event({"event": "replanned", "reason": reason, "engine_pid": self.engine_pid, "plan": plan})

    def _start_again(self, reason: str, tail: str) -> None:
        self._fail_open(EngineFailed(reason, hint="Pronk starts it again; ask once more.", detail=tail))
        now_s = time.monotonic()
        self._crashes.append(now_s)
        self._on_event({"event": "engine_died", "reason": reason})
        if len(self._crashes) == CRASHES_MAX and now_s - self._crashes[0] < CRASH_WINDOW_S:
            self._give_up(_too_many_crashes(reason, self._log, tail))
            return
        self.state, self.load_part = "restarting", 0.0
        self._ready.clear()
        self.start()

    def _give_up(self, error: AppError) -> None:
        self.state, self.failure = "failed", error
        self._fail_open(error)
        self._ready.set()
        self.ended.set()

    def _fail_open(self, error: AppError) -> None:
        for request in self._open.values():
            request.fail(error)
        self._open.clear()


def _write(process: "Popen[str]", outbox: "queue.SimpleQueue[str | None]") -> None:
    """Pass commands on; on a thread of its own, as a worker that is stuck would block the writer. None closes."""
    while (line := outbox.get()) is not None:
        # A worker that is gone does not read; its death ends all open requests.
        send_line(process, line)
    close_stdin(process)


def _cannot_load(path: Path, returncode: int, tail: str) -> AppError:
    """Return the error for a worker that died while it loaded the model for the first time; it would die again."""
    what = f"Loading {path.name} failed: the engine's process ended ({describe_exit(returncode)})."
    if returncode == -9:  # Linux ends the largest process when memory runs out
        hint = "The computer probably ran out of memory: choose a smaller --context or a smaller model."
        return NotEnoughMemory(what, hint=hint, detail=tail)
    hint = "The file may be damaged, or the engine may have a fault with it: try another file of this model."
    return EngineFailed(what, hint=hint, detail=tail)


def _cannot_go_on(error: Exception) -> AppError:
    """Return the error of a front that cannot serve on; mostly no memory is left for a thread or a process."""
    what = f"The engine cannot go on ({type(error).__name__}: {error})."
    return EngineFailed(what, hint="Close other programs, then start it again.")


def _no_plan(lesson: Lesson, error: AppError) -> AppError:
    """Return the error of a model that has no other plan: what failed first, then why there is no other."""
    if not isinstance(error, NotEnoughMemory):
        return error
    return NotEnoughMemory(f"{lesson.reason} {error.message}", hint=error.hint)


def _too_many_crashes(reason: str, log: Path, tail: str) -> EngineFailed:
    return EngineFailed(
        f"The engine crashed {CRASHES_MAX} times within five minutes. The last time: {reason}",
        hint="Choose a smaller context (--context 4096), fewer layers on the GPU (--gpu-layers), or another model. "
        f"What it said last stands in {log}.",
        detail=tail,
    )


def _error_of(event: Event) -> AppError:
    error = from_event(str(event["kind"]), str(event["message"]), str(event.get("hint") or ""))
    return EngineFailed("The request was cancelled.") if isinstance(error, Cancelled) else error
