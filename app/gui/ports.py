"""What the window needs of the world outside and a test may put something else in for: the engine, the probe, jobs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.actions.context import Pronk

if TYPE_CHECKING:
    from app.devices.values import Devices, Memory
    from app.engine.supervisor import Engine
    from app.library.facts import ModelFacts
    from app.plan.values import LoadPlan, PlanRequest

OnEvent = Callable[[Mapping[str, Any]], None]


def _start_engine(pronk: Pronk, path: Path, options: Sequence[str], on_event: OnEvent) -> Engine:
    from app.actions.engine import start_engine

    return start_engine(pronk, path, tuple(options), on_event)


def _find_devices(pronk: Pronk) -> Devices:
    from app.actions.devices import find_devices

    return find_devices(pronk)


def _plan_exactly(pronk: Pronk, facts: ModelFacts, devices: Devices, request: PlanRequest) -> LoadPlan:
    from app.actions.plan import plan_model

    return plan_model(pronk, facts, devices, request)


def _read_memory() -> Memory:
    from app.devices.system import read_memory

    return read_memory()


def _measure_computer(pronk: Pronk, on_event: OnEvent, cancel: threading.Event) -> Mapping[str, Any]:
    from app.jobs.commands import pronk_command
    from app.jobs.job import run_job

    words = ("bench", "--computer", "--events", "--watch-stdin", "--home", str(pronk.home.root))
    return run_job(pronk_command(*words), on_event, pronk.log("bench"), cancel)


@dataclass(frozen=True)
class Ports:
    """Called on pool threads, read_memory on the window's; each imports what it needs when it is called first."""

    start_engine: Callable[[Pronk, Path, Sequence[str], OnEvent], Engine] = _start_engine
    find_devices: Callable[[Pronk], Devices] = _find_devices
    plan_exactly: Callable[[Pronk, ModelFacts, Devices, PlanRequest], LoadPlan] = _plan_exactly
    read_memory: Callable[[], Memory] = _read_memory
    measure_computer: Callable[[Pronk, OnEvent, threading.Event], Mapping[str, Any]] = _measure_computer
