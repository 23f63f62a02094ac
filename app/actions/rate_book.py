"""Measured speeds as they are kept: home/cache/rates.json.

{device: {"pace": entry, "types": {name: entry}}}, and what was tuned: {key: {"n_threads", "n_ubatch"}}. An
entry holds figures, how often they were measured ("tries"), and which share of the processor other programs took
meanwhile ("others"); or why nothing could be measured ("failed"). What is damaged counts as never measured.
"""

import json
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.actions.context import Pronk
from app.core.errors import NotEnoughDisk
from app.core.files import write_atomic
from app.core.json_text import parse_json
from app.plan.values import Pace, Rate

CACHE_NAME = "rates.json"
TUNED = {"n_threads": 1024, "n_ubatch": 1 << 16}
"""The most that is believed of each."""
MOST_COUNTED = 1_000_000
SLOWEST, MOST_FIGURE = 1e3, 1e18

Entry = dict[str, Any]


@dataclass(frozen=True)
class Measurable:
    """A device that can be measured, and the key its figures are kept under."""

    id: str
    identity: str
    n_threads: int


@dataclass
class Book:
    """The kept figures, in memory."""

    path: Path
    devices: dict[str, Entry] = field(default_factory=dict)

    def entries(self, device: Measurable) -> Entry:
        """Return a device's figures, to read and to add to."""
        known: Entry = self.devices.setdefault(device.identity, {})
        known.setdefault("types", {})
        return known

    def add_pace(self, device: Measurable, entry: Entry) -> None:
        """Keep what a device takes besides weights."""
        known = self.entries(device)
        known["pace"] = better(known.get("pace"), entry, least=True)

    def add_type(self, device: Measurable, name: str, entry: Entry) -> None:
        """Keep a device's speed with one type."""
        types = self.entries(device)["types"]
        types[name] = better(types.get(name), entry, least=False)

    def save(self) -> None:
        """Write the file; a cache that cannot be written costs only later measurements."""
        with suppress(NotEnoughDisk):
            write_atomic(self.path, json.dumps(self.devices, indent=1).encode())


def open_book(pronk: Pronk) -> Book:
    """Read what is kept; a file that is damaged counts as none."""
    path = pronk.home.cache / CACHE_NAME
    try:
        document = parse_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        document = {}
    devices = document if isinstance(document, dict) else {}
    return Book(path, {str(key): _sound(known) for key, known in devices.items() if isinstance(known, dict)})


def _sound(known: Entry) -> Entry:
    """Return what can be believed of one device's figures, or of what was tuned."""
    tuned = {name: known[name] for name, most in TUNED.items() if _is_count(known.get(name), most)}
    if tuned:
        return tuned
    types = known.get("types")
    found: Entry = {"types": {}}
    if isinstance(types, dict):
        found["types"] = {name: entry for name, entry in types.items() if _is_entry(entry, Rate)}
    if _is_entry(known.get("pace"), Pace):
        found["pace"] = known["pace"]
    return found


def _is_entry(entry: Any, form: Any) -> bool:
    if not isinstance(entry, dict) or not _is_count(entry.get("tries"), MOST_COUNTED):
        return False
    if "failed" in entry:
        return isinstance(entry["failed"], str)
    least = 0.0 if form is Pace else SLOWEST
    figures = (entry.get(name) for name in form.__match_args__)
    return _is_number(entry.get("others"), 0.0) and all(_is_number(figure, least) for figure in figures)


def _is_number(value: Any, least: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and least <= value <= MOST_FIGURE


def _is_count(value: Any, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= most


def better(known: Entry | None, new: Entry, least: bool) -> Entry:
    """Return the better figures of two measurements; other programs only ever make one worse."""
    tries = int((known or {}).get("tries", 0)) + 1
    if known is None or "failed" in known:
        return {**new, "tries": tries}
    if "failed" in new:
        return {**known, "tries": tries}
    choose = min if least else max
    figures = {name: choose(known[name], value) for name, value in new.items() if name != "others"}
    return {**figures, "others": min(known["others"], new["others"]), "tries": tries}
