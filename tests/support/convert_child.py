"""Runs the converter as its users' programs do: a child process that speaks JSON lines."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


def command(*arguments: str | Path) -> list[str]:
    """Give the command line of the converter."""
    return [sys.executable, "-m", "converters", *map(str, arguments)]


def run(*arguments: str | Path, **options: Any) -> "subprocess.CompletedProcess[str]":
    """Run it to its end."""
    return subprocess.run(command(*arguments), cwd=ROOT, capture_output=True, text=True, timeout=120, **options)


def start(*arguments: str | Path, **options: Any) -> "subprocess.Popen[str]":
    """Start it with pipes."""
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command(*arguments), cwd=ROOT, text=True, **pipes, **options)


def events(text: str) -> list[dict[str, Any]]:
    """Read protocol lines; anything else on stdout is an error."""
    return [json.loads(line) for line in text.splitlines()]
