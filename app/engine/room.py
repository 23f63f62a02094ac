"""The worker's look at memory: is there room for exactly this plan, and what did it really take."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.core.errors import AppError, NotEnoughMemory
from app.core.units import format_size

if TYPE_CHECKING:
    from app.llama.session import SessionOptions

HOST = "CPU"
SLACK_BYTES = 64 * 2**20
"""By so much free memory may have fallen since the plan was made."""

Plan = Mapping[str, Any]


class NoRoom(NotEnoughMemory):
    """The memory that the plan counted on is gone; `missing` has the bytes by device."""

    def __init__(self, name: str, missing: Mapping[str, int]) -> None:
        short = ", ".join(f"{format_size(size)} on {device}" for device, size in missing.items())
        super().__init__(
            f"Cannot load {name}: memory that was free when it was planned is in use now ({short} are missing).",
            hint="Close other programs, or choose a smaller context.",
        )
        self.missing = missing


def planned_use(plan: Plan) -> dict[str, int]:
    """Return the bytes by device that a plan foretells."""
    return {device["id"]: _sum(device) for device in (plan["host"], *plan["devices"])}


def exact_use(path: Path, skeletons: Path, options: "SessionOptions", plan: Plan) -> dict[str, int]:
    """Return the bytes by device that llama.cpp's dry run gives for exactly what is loaded; the plan's without one.

    A model that llama.cpp refuses here is refused by the load too, which has the better words.
    """
    from app.devices.candidates import by_device
    from app.llama.devices import start_engine_library
    from app.llama.dry_run import DryRun
    from app.llama.skeleton import skeleton_of

    llama = start_engine_library()
    asked: DryRun | None = None
    try:
        asked = DryRun(llama)
        uses = asked.ask(skeleton_of(path, skeletons), options.placement, options.context_size)
        return _totals(by_device(uses, [device["id"] for device in plan["devices"]]))
    except AppError:
        return planned_use(plan)
    finally:
        if asked is not None:
            asked.close()
        llama.llama_log_set(llama.llama_log_callback(0), None)  # its receiver goes with the dry run


def real_use(llama: Any, context: Any, gpus: Sequence[str]) -> dict[str, int]:
    """Return the bytes by device that a loaded context holds; empty where llama.cpp's answer cannot be read."""
    from app.devices.candidates import by_device
    from app.llama.memory import MemoryReader

    try:
        return _totals(by_device(MemoryReader(llama).read(context), gpus))
    except AppError:
        return {}


def free_memory(gpus: Sequence[str]) -> dict[str, int]:
    """Return what is free now, by device."""
    import psutil

    from app.llama.capacity import free_bytes_of

    return {HOST: psutil.virtual_memory().available, **{gpu: free_bytes_of(gpu) for gpu in gpus}}


def missing_room(plan: Plan, use: Mapping[str, int], free: Mapping[str, int]) -> dict[str, int]:
    """Return the bytes that are missing by device: where free memory fell since the plan and the use no longer fits.

    A plan that knows nothing of a device's memory (total 0) is not held to it.
    """
    found = {}
    for device in (plan["host"], *plan["devices"]):
        id_ = device["id"]
        missing = use.get(id_, 0) + device["reserve_bytes"] - free[id_]
        fell = device["free_bytes"] - free[id_] > SLACK_BYTES
        if device["total_bytes"] > 0 and fell and missing > 0 and use.get(id_, 0) > 0:
            found[id_] = missing
    return found


def _sum(fields: Mapping[str, Any]) -> int:
    return int(fields["weights_bytes"]) + int(fields["kv_bytes"]) + int(fields["compute_bytes"])


def _totals(uses: Mapping[str, Any]) -> dict[str, int]:
    return {HOST: _sum(uses["host"]), **{gpu: _sum(use) for gpu, use in uses["gpus"].items()}}
