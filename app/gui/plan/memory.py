"""A device's memory as the parts of a bar."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.gui.plan.words import tr
from app.gui.widgets.memory_bar import Part

if TYPE_CHECKING:
    from app.gui.plan.values import Reading
    from app.plan.values import DevicePlan


def parts_of(device: DevicePlan, fits: bool, reading: Reading | None = None) -> tuple[Part, ...]:
    """Return what takes a device's memory, in the order it is drawn; the free rest is left out.

    reading: what others leave free now; without it, or for a plan that does not fit (its figures explain why), what
    the plan was made with. What is kept free gives way to other programs in a plan that fits.
    """
    free_bytes = reading.free_bytes(device.id) if reading is not None and fits else None
    other = max(0, device.total_bytes - (device.free_bytes if free_bytes is None else free_bytes))
    used = device.weights_bytes + device.kv_bytes + device.compute_bytes
    reserve = device.reserve_bytes
    if fits:
        other = min(other, max(0, device.total_bytes - used))
        reserve = min(reserve, max(0, device.total_bytes - used - other))
    return (
        Part("weights", tr("Weights"), device.weights_bytes),
        Part("kv", tr("Conversation (KV)"), device.kv_bytes),
        Part("compute", tr("Working room"), device.compute_bytes),
        Part("reserve", tr("Kept free"), reserve),
        Part("other", tr("Other programs"), other),
    )
