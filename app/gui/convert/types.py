"""The types offered for a conversion, what they are good for, and whether the result would run here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.core.units import format_size
from app.devices.values import Devices

RECOMMENDED = "Q4_K_M"
QUALITY = {
    "Q2_K": "smallest, clearly worse",
    "Q3_K_M": "small, noticeably worse",
    "Q4_K_M": "recommended: small and good",
    "Q5_K_M": "a little better, larger",
    "Q6_K": "close to the original",
    "Q8_0": "practically the original",
    "BF16": "the original, uncompressed",
}
OFFERED = tuple(QUALITY)
ROOM_FACTOR = 1.15
"""A model needs its file's size and some room for the conversation; exact figures come once it exists."""


@dataclass(frozen=True)
class TypeChoice:
    """One row of the table."""

    name: str
    size_bytes: int
    quality: str
    verdict: str


def type_choices(plan: Mapping[str, Any], devices: Devices | None) -> tuple[TypeChoice, ...]:
    """Return the rows for a dry run of all offered types."""
    sizes = plan["output_bytes"]
    names: Sequence[str] = plan.get("types") or OFFERED
    sizes = sizes if isinstance(sizes, list) else [sizes]
    return tuple(
        TypeChoice(name, int(size), QUALITY.get(name, ""), rough_verdict(int(size), devices))
        for name, size in zip(names, sizes, strict=True)
    )


def rough_verdict(size_bytes: int, devices: Devices | None) -> str:
    """Return where a file of this size would run, judged by its size alone."""
    if devices is None:
        return ""
    needed = size_bytes * ROOM_FACTOR
    gpu_bytes = sum(gpu.free_bytes for gpu in devices.gpus if not gpu.integrated)
    if gpu_bytes and needed <= gpu_bytes:
        return "should fit on your GPU"
    if needed <= devices.memory.available_bytes:
        return "should run partly on your GPU" if gpu_bytes else "should fit on your processor"
    return f"too big: {format_size(devices.memory.available_bytes)} of memory free"
