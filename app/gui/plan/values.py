"""What the plan panel shows, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from app.actions.load_choice import AUTOMATIC, LoadChoice

if TYPE_CHECKING:
    from app.devices.values import Devices
    from app.plan.values import LoadPlan

Source = Literal["asking", "exact", "estimate", "loaded"]
"""Where a plan's sizes come from: by formula while llama.cpp is asked, from llama.cpp, by formula as it has no answer,
or the plan that the engine runs with."""


@dataclass(frozen=True)
class Reading:
    """What other programs leave free now: what Pronk's own engine holds counts as free.

    gpu_free_bytes: by device id; empty until the drivers were asked.
    """

    available_bytes: int
    gpu_free_bytes: Mapping[str, int] = field(default_factory=dict)

    def free_bytes(self, device_id: str) -> int | None:
        """What others leave free of a device ("CPU" is main memory); None when that is not known."""
        return self.available_bytes if device_id == "CPU" else self.gpu_free_bytes.get(device_id)


@dataclass(frozen=True)
class PlanView:
    """One plan with the wishes it was made for; `problem` says why there is none.

    is_ready: whether the engine runs with this plan. measured_bytes: what the loaded model was seen to hold on all
    devices together, 0 when that is not known.
    """

    choice: LoadChoice = AUTOMATIC
    plan: LoadPlan | None = None
    source: Source = "estimate"
    devices: Devices | None = None
    trained_context: int = 0
    problem: str = ""
    is_ready: bool = False
    measured_bytes: int = 0
