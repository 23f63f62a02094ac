"""What the window needs of the world outside and a test may put something else in for: the engine, the probe."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.actions.context import Pronk

if TYPE_CHECKING:
    from app.devices.values import Devices
    from app.engine.supervisor import Engine

OnEvent = Callable[[Mapping[str, Any]], None]


def _start_engine(pronk: Pronk, path: Path, options: Sequence[str], on_event: OnEvent) -> Engine:
    from app.actions.engine import start_engine

    return start_engine(pronk, path, tuple(options), on_event)


def _find_devices(pronk: Pronk) -> Devices:
    from app.actions.devices import find_devices

    return find_devices(pronk)


@dataclass(frozen=True)
class Ports:
    """Called on pool threads; each imports what it needs when it is called first."""

    start_engine: Callable[[Pronk, Path, Sequence[str], OnEvent], Engine] = _start_engine
    find_devices: Callable[[Pronk], Devices] = _find_devices
