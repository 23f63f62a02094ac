"""Run the programs that set-up needs, with their output in a log and one line of progress on the screen."""

import os
import queue
import re
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

import build_log
from console import ProgressLine, SetupError

POSITION = re.compile(r"^\s*(\[\s*\d+/\d+\]|\[\s*\d+%\])")
TICK_S = 0.5
STOP_S = 5.0
# Settings of the caller's shell that would lead pip or a build astray.
FOREIGN_SETTINGS = ("PYTHONHOME", "PYTHONPATH", "SOURCE_DATE_EPOCH", "PIP_TARGET", "PIP_PREFIX")


def child_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Copy the environment without what leads pip astray (SOURCE_DATE_EPOCH switches ggml's native code off)."""
    kept = {name: value for name, value in os.environ.items() if name not in FOREIGN_SETTINGS}
    return {**kept, "PIP_USER": "0", "PIP_DISABLE_PIP_VERSION_CHECK": "1", **(extra or {})}


def run_logged(
    what: str, command: Sequence[str | Path], log_path: Path, extra_environment: Mapping[str, str] | None = None
) -> None:
    """Run a command to its end, its output in log_path; raise SetupError with the cause when it fails.

    An interrupt ends the whole process group, compilers included.
    """
    log_path.parent.mkdir(parents=True, exist_ok=True)
    progress = ProgressLine(what)
    with log_path.open("w", encoding="utf-8") as log:
        code = _run(command, log, progress, child_environment(extra_environment))
    progress.clear()
    if code != 0:
        text = log_path.read_text(encoding="utf-8", errors="replace")
        raise SetupError(build_log.failure(what, text, str(log_path)))


def _run(command: Sequence[str | Path], log: IO[str], progress: ProgressLine, environment: Mapping[str, str]) -> int:
    process = subprocess.Popen(
        [str(part) for part in command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
        env=environment,
        start_new_session=os.name == "posix",
    )
    lines: queue.Queue[str | None] = queue.Queue()
    threading.Thread(target=_read_lines, args=(process, lines), daemon=True).start()
    try:
        _follow(process, lines, log, progress)
    finally:
        _end(process)
    return process.returncode


def _follow(
    process: subprocess.Popen[str], lines: "queue.Queue[str | None]", log: IO[str], progress: ProgressLine
) -> None:
    """Copy lines to the log until the process is gone; a grandchild that holds its pipe open is not waited for."""
    position = ""
    while True:
        ended = process.poll() is not None
        try:
            line = lines.get(timeout=TICK_S)
        except queue.Empty:
            line = None if ended else ""
        if line is None:
            process.wait()
            return
        log.write(line)
        log.flush()
        found = POSITION.match(line)
        position = found.group(1) if found else position
        progress.update(position)


def _read_lines(process: subprocess.Popen[str], lines: "queue.Queue[str | None]") -> None:
    assert process.stdout is not None
    with process.stdout as output:
        for line in output:
            lines.put(line)
    lines.put(None)


def _end(process: subprocess.Popen[str]) -> None:
    """Stop what is left of a process group; nothing to do after a normal end."""
    if process.poll() is not None:
        return
    _signal(process, force=False)
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        _signal(process, force=True)
        process.wait()


def _signal(process: subprocess.Popen[str], force: bool) -> None:
    if os.name == "posix":
        os.killpg(process.pid, signal.SIGKILL if force else signal.SIGTERM)
    else:
        process.terminate()
