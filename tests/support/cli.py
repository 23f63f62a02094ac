"""Running pronk as a user would: a real process, real output."""

import json
import subprocess
import sys
from typing import Any


def run_pronk(*arguments: str, timeout_s: float = 300, stdin: str | None = None) -> "subprocess.CompletedProcess[str]":
    """Run a pronk command to its end; the test's PRONK_HOME is inherited."""
    return subprocess.run(
        [sys.executable, "-P", "-m", "app", *arguments],
        capture_output=True,
        text=True,
        timeout=timeout_s,
        input=stdin,
        stdin=subprocess.DEVNULL if stdin is None else None,
        check=False,
    )


def pronk_json(*arguments: str, timeout_s: float = 300) -> dict[str, Any]:
    """Run a command with --json and return its document; a failure fails the test with what the command said."""
    done = run_pronk(*arguments, "--json", timeout_s=timeout_s)
    assert done.returncode == 0, f"pronk {' '.join(arguments)}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    document: dict[str, Any] = json.loads(done.stdout)
    return document
