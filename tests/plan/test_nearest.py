"""What is too big is planned as near to a fit as it goes: that is what a forced load takes."""

import pytest

from app.library.facts import ModelFacts
from app.plan.budget import budgets_of
from app.plan.estimate import estimate
from app.plan.model import study
from app.plan.planner import MAX_DRY_RUNS, make_plan
from app.plan.values import Breakdown, Candidate, LoadPlan, PlanRequest
from app.plan.words import used_bytes
from tests.support.facts import dense, experts
from tests.support.machines import GB, machine

QWEN_30B, QWEN_235B, LLAMA_70B = experts(), experts(94, 4096, 128, 8, 1536), dense(80, 8192, 28672, 64, 8)


def missing_bytes(plan: LoadPlan) -> int:
    """Return what all devices lack."""
    return sum(
        max(0, used_bytes(device) - max(0, device.free_bytes - device.reserve_bytes))
        for device in (plan.host, *plan.devices)
    )


@pytest.mark.parametrize(
    ("facts", "gpus", "ram"),
    [
        (QWEN_30B, (4,), 16),
        (QWEN_30B, (8,), 8),
        (QWEN_235B, (32,), 96),
        (LLAMA_70B, (12,), 24),
        (LLAMA_70B, (12, 8), 16),
    ],
)
def test_the_gpu_is_filled_as_far_as_it_goes(facts: ModelFacts, gpus: tuple[int, ...], ram: int) -> None:
    plan = make_plan(facts, machine(*gpus, ram_gb=ram), PlanRequest())
    assert plan.verdict == "too_big"
    needed = sum(used_bytes(device) for device in (plan.host, *plan.devices))
    usable = sum(max(0, device.free_bytes - device.reserve_bytes) for device in (plan.host, *plan.devices))
    # What is left on a card is less than a layer.
    assert missing_bytes(plan) < needed - usable + len(gpus) * 1.2 * facts.size_bytes / facts.n_layers
    for device in plan.devices:
        assert 0 < used_bytes(device) <= device.free_bytes - device.reserve_bytes
    assert any(reason.startswith("Main memory lacks ") for reason in plan.reasons)
    assert not any("too little to help" in reason for reason in plan.reasons)


def test_few_dry_runs_are_spent_on_what_is_too_big_anyway() -> None:
    devices, asked = machine(8, ram_gb=8), list[Candidate]()
    budgets = budgets_of(devices, None)

    def exact(facts: ModelFacts, candidate: Candidate, gpus: tuple[str, ...]) -> Breakdown:
        asked.append(candidate)
        return estimate(study(facts, budgets), candidate, budgets)

    plan = make_plan(QWEN_30B, devices, PlanRequest(), exact)
    assert (plan.verdict, plan.method) == ("too_big", "dry_run")
    assert len(asked) < MAX_DRY_RUNS / 2
    assert missing_bytes(plan) < 8 * GB
