"""A child process with pipes for JSON lines and a log file for its stderr."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from app.jobs.commands import child_environment

Event = dict[str, Any]

LOG_TAIL_BYTES = 8192


def start_process(
    command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None, *, secrets: bool = True
) -> "subprocess.Popen[str]":
    """Start `command` with stdin and stdout as text pipes and stderr appended to `log`.

    The child heads a process group of its own, so that Ctrl+C in a terminal reaches only its parent, which decides.
    secrets: whether the environment's tokens and keys go along.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    options: dict[str, Any] = (
        {"creationflags": 0x08000200}  # CREATE_NO_WINDOW | CREATE_NEW_PROCESS_GROUP
        if sys.platform == "win32"
        else {"process_group": 0}
    )
    with log.open("ab") as stderr:
        return subprocess.Popen(
            list(command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            env=child_environment(environment, secrets=secrets),
            encoding="utf-8",
            errors="replace",
            bufsize=1,
            **options,
        )


def send_line(process: "subprocess.Popen[str]", line: str) -> bool:
    """Write one line to the child's stdin; False when it no longer reads."""
    try:
        assert process.stdin is not None
        process.stdin.write(line + "\n")
        process.stdin.flush()
    except (OSError, ValueError):
        return False
    return True


def close_stdin(process: "subprocess.Popen[str]") -> None:
    """Close our end of the child's stdin; for a watching child that means: finish and go."""
    if process.stdin is not None:
        with contextlib.suppress(OSError, ValueError):
            process.stdin.close()


def read_events(process: "subprocess.Popen[str]") -> Iterator[Event]:
    """Yield the events a child writes, line by line until its end, then close the pipe.

    Only the thread that reads closes: closing a stream another thread reads from would block.
    """
    assert process.stdout is not None
    with process.stdout as stdout:
        for line in stdout:
            event = parse_event(line)
            if event is not None:
                yield event


def parse_event(line: str) -> Event | None:
    """Return the event on a line, or None for a line that is none."""
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) else None


def log_tail(log: Path, start_bytes: int = 0) -> str:
    """Return the last 8 KiB of what was logged since offset `start_bytes`."""
    try:
        with log.open("rb") as file:
            size_bytes = file.seek(0, os.SEEK_END)
            file.seek(max(start_bytes, size_bytes - LOG_TAIL_BYTES))
            return file.read().decode("utf-8", "replace")
    except OSError:
        return ""


def describe_exit(returncode: int) -> str:
    """Return how a process ended: "exit status 3", or "signal 6 (SIGABRT)"."""
    if returncode >= 0:
        return f"exit status {returncode}"
    try:
        return f"signal {-returncode} ({signal.Signals(-returncode).name})"
    except ValueError:
        return f"signal {-returncode}"
