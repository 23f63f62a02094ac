"""Looking over this installation: what works, what doesn't, and the command that mends it."""

import os
import shutil
import sqlite3
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from app.actions.context import Pronk
from app.actions.devices import find_devices
from app.actions.models import list_models
from app.core.errors import NotEnoughDisk
from app.core.paths import Home
from app.core.units import format_size
from app.devices.hardware import installed_gpus, remedy
from app.devices.values import Devices

LOW_DISK_BYTES = 10 * 10**9


@dataclass(frozen=True)
class Check:
    """One thing looked at: whether it is well, what was found, and the way on if it is not."""

    name: str
    ok: bool
    found: str
    remedy: str = ""


def examine(pronk: Pronk) -> tuple[Check, ...]:
    """Look at the engine, the GPUs, memory, disk, models and display of this computer."""
    try:
        pronk.home.prepare()
    except NotEnoughDisk as error:
        broken = Check("data folder", False, error.message, error.hint)
        with TemporaryDirectory() as folder:
            stand_in = Pronk(Home(Path(folder)).prepare())
            checks = (*_machine(stand_in), broken, _sqlite(), _display())
            stand_in.close()
        return checks
    return (*_machine(pronk), _data_folder(pronk), _models(pronk), _sqlite(), _display())


def _machine(pronk: Pronk) -> tuple[Check, ...]:
    devices = find_devices(pronk)
    return (_python(), _engine(devices), *_gpus(devices), _memory(devices))


def _python() -> Check:
    return Check("python", True, f"Python {sys.version.split()[0]}")


def _engine(devices: Devices) -> Check:
    if not devices.engine_version:
        return Check("engine", False, "; ".join(devices.notes) or "not installed", "make run")
    return Check("engine", True, f"llama-cpp-python {devices.engine_version} with {', '.join(devices.backends)}")


def _gpus(devices: Devices) -> tuple[Check, ...]:
    """One check for each card in the machine, and one for each device the engine reaches."""
    usable = tuple(
        Check(
            f"gpu {gpu.id}", True, f"{gpu.name}, {format_size(gpu.free_bytes)} of {format_size(gpu.total_bytes)} free"
        )
        for gpu in devices.gpus
    )
    idle = tuple(
        Check(f"gpu {gpu.name}", False, f"{gpu.name} is in this computer, but the engine can't use it.", mend)
        for gpu in installed_gpus()
        if (mend := remedy(gpu, devices.backends)) is not None
    )
    return usable + idle or (Check("gpu", True, "none found; models run on the processor"),)


def _memory(devices: Devices) -> Check:
    memory = devices.memory
    found = f"{format_size(memory.available_bytes)} of {format_size(memory.total_bytes)} free"
    enough = memory.available_bytes >= 2 * 10**9
    return Check("memory", enough, found, "" if enough else "Close other programs: less than 2 GB is free.")


def _data_folder(pronk: Pronk) -> Check:
    free_bytes = shutil.disk_usage(pronk.home.root).free
    found = f"{pronk.home.root}, {format_size(free_bytes)} free"
    enough = free_bytes >= LOW_DISK_BYTES
    return Check("data folder", enough, found, "" if enough else "Free some disk space, or choose another: --home DIR")


def _models(pronk: Pronk) -> Check:
    models = list_models(pronk)
    missing = [model.name for model in models if model.missing]
    if missing:
        return Check(
            "models", False, f"missing: {', '.join(missing)}", "Attach their disk, or: pronk models remove NAME"
        )
    mend = "" if models else "pronk models add --starter"
    return Check("models", bool(models), f"{len(models)} in the library", mend)


def _sqlite() -> Check:
    # One writer a file keeps versions before 3.51.3 away from their WAL-reset bug.
    return Check("sqlite", True, f"SQLite {sqlite3.sqlite_version}, one writer for each file")


def _display() -> Check:
    if sys.platform != "linux" or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        return Check("display", True, "found")
    return Check("display", False, "none: the window can't open here", "pronk chat MODEL talks in the terminal")
