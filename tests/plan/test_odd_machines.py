"""Plans on recorded odd computers."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from app.devices.values import Devices, Gpu
from app.plan.planner import make_plan
from app.plan.values import PlanRequest
from tests.support.facts import dense
from tests.support.machines import machine

MACHINES = Path(__file__).parents[1] / "devices" / "machines"


def recorded(name: str) -> Devices:
    """Return a recorded computer with 16 GB of main memory."""
    probe = json.loads((MACHINES / f"{name}.json").read_text())["probe"]
    return replace(machine(ram_gb=16), gpus=tuple(Gpu(**gpu) for gpu in probe["gpus"]))


@pytest.mark.parametrize(
    ("name", "used", "verdict"),
    [
        ("no_gpu", [], "cpu"),
        ("card_without_build", [], "cpu"),
        ("zero_memory", [], "cpu"),
        ("two_mixed_cards", ["CUDA0", "CUDA1"], "gpu"),
        ("laptop_igpu_and_card", ["Vulkan0"], "gpu"),
    ],
)
def test_what_is_used(name: str, used: list[str], verdict: str) -> None:
    plan = make_plan(dense(), recorded(name), PlanRequest())
    assert [device.id for device in plan.devices] == used
    assert plan.verdict == verdict


def test_shared_memory_is_counted_once() -> None:
    devices = recorded("apu")
    plan = make_plan(dense(), devices, PlanRequest())
    used = sum(d.weights_bytes + d.kv_bytes + d.compute_bytes for d in (plan.host, *plan.devices))
    assert used <= devices.memory.available_bytes - plan.host.reserve_bytes
