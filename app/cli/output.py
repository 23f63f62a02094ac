"""What a command prints: one JSON document, JSON Lines, or text for people."""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from app.core.errors import AppError, Cancelled
from app.core.units import format_duration, format_size


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add --json."""
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def add_events(parser: argparse.ArgumentParser) -> None:
    """Add --events and the hidden --watch-stdin of children."""
    parser.add_argument("--events", action="store_true", help="print progress and the result as JSON Lines")
    parser.add_argument("--watch-stdin", action="store_true", help=argparse.SUPPRESS)


def to_json(value: Any) -> Any:
    """Return a value as JSON knows it: dataclasses as objects, tuples as lists, paths as text."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_json(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(item) for item in value]
    return str(value) if isinstance(value, Path) else value


def print_json(document: Any) -> None:
    """Print one JSON document on stdout."""
    print(json.dumps(to_json(document), ensure_ascii=False, indent=2))


def print_table(heads: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> None:
    """Print aligned columns for people; the columns numbered in `right` are aligned to the right."""
    widths = [max(len(cell) for cell in column) for column in zip(heads, *rows, strict=True)]
    for row in (heads, *rows):
        cells = [
            cell.rjust(width) if index in right else cell.ljust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        print("  ".join(cells).rstrip())


class Output:
    """Prints a long command's events and result in the form that was asked for."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.events = bool(getattr(arguments, "events", False))
        self.json = bool(getattr(arguments, "json", False))
        self._bar = not self.events and not self.json and sys.stderr.isatty()
        self._phase: tuple[str, float, int] = ("", 0.0, 0)
        """The phase that runs, and when and with how many bytes done it began: a continued one begins with some."""

    def event(self, event: Mapping[str, Any]) -> None:
        """Print an event: a line with --events, a progress bar on a terminal, else nothing."""
        if self.events:
            print(json.dumps(to_json(event), ensure_ascii=False), flush=True)
        elif self._bar and event.get("event") == "progress":
            elapsed_s, done = float(event.get("elapsed_s") or 0), int(event.get("done_bytes") or 0)
            if event.get("phase", "") != self._phase[0]:
                self._phase = (str(event.get("phase", "")), elapsed_s, done)
            span_s, gained = elapsed_s - self._phase[1], done - self._phase[2]
            print("\r\x1b[K" + _progress_line(event, span_s, gained), end="", file=sys.stderr, flush=True)

    def done(self, result: Any, text: str = "") -> None:
        """Print the result: the last event, the document, or `text`."""
        if self._bar:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
        if self.events:
            self.event({"event": "done", "result": result})
        elif self.json:
            print_json(result)
        elif text:
            print(text)


def print_failure(error: AppError | Cancelled, arguments: argparse.Namespace | None) -> None:
    """Print an error as the contract has it: stderr for people, and stdout in the form asked for."""
    fields_ = (
        error.as_event() if isinstance(error, AppError) else {"kind": "cancelled", "message": "Cancelled.", "hint": ""}
    )
    if getattr(arguments, "events", False):
        print(json.dumps({"event": "failed", **fields_}, ensure_ascii=False), flush=True)
    elif getattr(arguments, "json", False):
        print_json({"error": fields_})
    print(fields_["message"], file=sys.stderr)
    if fields_["hint"]:
        print(fields_["hint"], file=sys.stderr)


def _progress_line(event: Mapping[str, Any], span_s: float, gained_bytes: int) -> str:
    """Return a phase's line; its speed is that of the `gained_bytes` since it began `span_s` ago."""
    done, total = int(event.get("done_bytes") or 0), int(event.get("total_bytes") or 0)
    parts = [str(event.get("phase", ""))]
    if total:
        parts.append(f"{_bar(done / total)} {100 * done / total:3.0f} %  {format_size(done)} of {format_size(total)}")
    if span_s > 1 and gained_bytes > 0:
        left_s = span_s * (total - done) / gained_bytes
        parts.append(f"{format_size(gained_bytes / span_s)}/s, {format_duration(left_s)} left")
    return "  ".join(parts)


def _bar(fraction: float, width: int = 24) -> str:
    filled = round(width * min(1.0, max(0.0, fraction)))
    return "█" * filled + "░" * (width - filled)
