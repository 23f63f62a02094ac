"""Tries a model file before anything is built upon it: our own reader first, then llama.cpp in a throw-away child."""

import re
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen, TimeoutExpired
from typing import Literal

from app.core.errors import AppError, EngineFailed, from_event
from app.jobs.commands import module_command
from app.jobs.process import Event, close_stdin, describe_exit, log_tail, read_events, start_process
from app.library.vocabulary import check_vocabulary

Verdict = Literal["ok", "refused", "crashes", "unknown"]

CHILD_MODULE = "app.library.preflight_child"
LIMIT_S = 1.7  # from the child's start to its answer; a quarter of a second is usual, 0.8 s for 262,144 tokens
START_LIMIT_S = 15.0  # until llama.cpp is there, where its libraries come from a slow disk
DRAIN_S = 1.0
# By us, or by Linux when memory runs out; a Python that did not get far: no word about the file
_KILLED, _PYTHON_FAILED = -9, 1
# A file is tried on the processor alone: drivers take seconds to start, and are no part of the question.
NO_GPUS = {"CUDA_VISIBLE_DEVICES": "-1", "HIP_VISIBLE_DEVICES": "-1", "GGML_VK_VISIBLE_DEVICES": ""}
# "/…/src/llama-vocab.cpp:2544: GGML_ASSERT(…) failed", or what an exception that nobody caught says
_LAST_WORDS = re.compile(r"(?:[\w-]+\.\w+:\d+|what\(\)): +(\S.*)")

_NO_ROOM = re.compile(r"std::bad_alloc|mem_buffer != NULL|failed to allocate")


@dataclass(frozen=True)
class Preflight:
    """What became of a file that was tried.

    refused: it cannot be loaded, `kind` is the error's. crashes: llama.cpp ends its process over it. unknown: nothing
    was found out (too slow, no engine). All but "ok" say so in `message`.
    """

    verdict: Verdict
    kind: str = ""
    message: str = ""
    hint: str = ""
    detail: str = ""

    def error(self) -> AppError | None:
        """Return the error that keeps the file from being loaded; None for "ok" and "unknown"."""
        if self.verdict not in ("refused", "crashes"):
            return None
        error = from_event(self.kind, self.message, self.hint, self.detail)
        return error if isinstance(error, AppError) else EngineFailed(self.message)


def preflight_file(path: Path, log: Path) -> Preflight:
    """Try a file whose facts were read; of a split model, the first part. Never raises over what is in the file.

    log: where the child's stderr goes.
    """
    try:
        check_vocabulary(path)
    except AppError as error:
        return _refused(error)
    return try_in_child(path, log)


def try_in_child(path: Path, log: Path) -> Preflight:
    """Let llama.cpp load the file in a child of its own, within LIMIT_S."""
    log_start_bytes = log.stat().st_size if log.exists() else 0
    process = start_process(module_command(CHILD_MODULE, str(path)), log, NO_GPUS, secrets=False)
    heard = _Heard()
    reader = threading.Thread(target=heard.read, args=(process,), name=f"preflight {process.pid}", daemon=True)
    reader.start()
    in_time = _wait(process, heard.started)
    process.kill()
    returncode = process.wait()
    # The pipe's end may be held open by a grandchild: wait for the process, then a little for its last words.
    reader.join(DRAIN_S)
    close_stdin(process)
    if heard.final is not None:
        return _answered(heard.final)
    if not in_time:
        return Preflight("unknown", message=f"{path.name} could not be checked within {LIMIT_S:g} s.")
    if returncode in (_KILLED, _PYTHON_FAILED):
        return Preflight("unknown", message=f"{path.name} could not be checked ({describe_exit(returncode)}).")
    tail = log_tail(log, log_start_bytes)
    if _NO_ROOM.search(tail):
        return Preflight("unknown", message=f"{path.name} could not be checked: memory ran out.", detail=tail)
    return _crashed(path, returncode, tail)


class _Heard:
    """What the child has said so far."""

    def __init__(self) -> None:
        self.started = threading.Event()
        self.final: Event | None = None

    def read(self, process: "Popen[str]") -> None:
        for event in read_events(process):
            if event.get("event") == "started":
                self.started.set()
            elif event.get("event") in ("done", "failed"):
                self.final = event


def _wait(process: "Popen[str]", started: threading.Event) -> bool:
    """Return whether the process ended in time; only what llama.cpp does with the file counts."""
    if _ends(process, LIMIT_S):
        return True
    if started.is_set():
        return False
    until_s = time.monotonic() + START_LIMIT_S
    while not started.wait(0.05) and process.poll() is None and time.monotonic() < until_s:
        pass
    return _ends(process, LIMIT_S)


def _ends(process: "Popen[str]", timeout_s: float) -> bool:
    try:
        process.wait(timeout_s)
    except TimeoutExpired:
        return False
    return True


def _answered(final: Event) -> Preflight:
    if final["event"] == "done":
        return Preflight("ok")
    error = from_event(str(final.get("kind")), str(final.get("message")), str(final.get("hint") or ""))
    if not isinstance(error, AppError) or isinstance(error, EngineFailed):  # the engine's fault, not the file's
        return Preflight("unknown", message=str(error))
    return _refused(error)


def _refused(error: AppError) -> Preflight:
    return Preflight("refused", error.kind, error.message, error.hint, error.detail)


def _crashed(path: Path, returncode: int, tail: str) -> Preflight:
    said = _LAST_WORDS.search(tail)
    reason = f"{describe_exit(returncode)}{': ' + said[1].strip()[:200] if said else ''}"
    return Preflight(
        "crashes",
        EngineFailed.kind,
        f"llama.cpp crashed on {path.name} ({reason}).",
        "The file is damaged, or the engine has a fault with it: get another file of this model.",
        tail,
    )
