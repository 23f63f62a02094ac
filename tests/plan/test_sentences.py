"""What the sentences of a plan claim is so: why a GPU is not used, what did not fit, what less context would gain."""

from dataclasses import replace

import pytest

from app.devices.values import Devices, Gpu
from app.plan.planner import SLOWEST_ALTERNATIVE, make_plan
from app.plan.reasons import listed
from app.plan.values import PlanRequest
from app.plan.words import round_speed
from tests.support.facts import dense
from tests.support.machines import GB, machine

LLAMA_8B, LLAMA_70B = dense(), dense(80, 8192, 28672, 64, 8)


def test_the_next_usual_size_is_named() -> None:
    plan = make_plan(LLAMA_8B, machine(12), PlanRequest())
    assert plan.context == 32768
    assert largest_context(machine(12)) > 40000  # more would fit
    assert any(
        reason.endswith(": the next usual size, 131,072, would not fit fully on the GPU.") for reason in plan.reasons
    )
    assert make_plan(LLAMA_8B, machine(12), PlanRequest(context=131072)).verdict != "gpu"


def largest_context(devices: Devices) -> int:
    return make_plan(LLAMA_8B, devices, PlanRequest(context="max")).context


def test_the_largest_context_and_several_cards() -> None:
    plan = make_plan(LLAMA_8B, machine(6, 6), PlanRequest(context="max"))
    assert plan.verdict == "gpu"
    assert any(reason.endswith(": more would not fit fully on the GPUs.") for reason in plan.reasons)
    assert not any("would not fit" in reason for reason in make_plan(LLAMA_8B, machine(12), PlanRequest(4096)).reasons)


def test_a_reserve_is_why_a_card_is_not_used() -> None:
    plan = make_plan(LLAMA_8B, machine(12), PlanRequest(reserve_bytes=20 * GB))
    assert plan.n_gpu_layers == 0
    assert "(CUDA0 has 12.0 GB free, less a reserve of 20.0 GB: too little to help)" in plan.reasons[0]


def test_a_card_without_room_has_too_little() -> None:
    assert "(CUDA0 has 300 MB free: too little to help)" in make_plan(LLAMA_8B, machine(0.3), PlanRequest()).reasons[0]


def test_a_lent_computer_that_is_slower() -> None:
    lent = Gpu("RPC0[10.0.0.2:50052]", "Lent", "rpc", 16 * GB, 16 * GB)
    devices = replace(machine(ram_gb=32, bandwidth_gb=400), gpus=(lent,))
    devices = replace(devices, cpu=replace(devices.cpu, physical_cores=64))
    plan = make_plan(LLAMA_8B, devices, PlanRequest(context=4096))
    assert plan.n_gpu_layers == 0
    assert "(RPC0[10.0.0.2:50052] is slower than this computer)" in plan.reasons[0]


def test_no_layers_when_none_are_wanted() -> None:
    plan = make_plan(LLAMA_8B, machine(12), PlanRequest(gpu_layers=0))
    assert plan.reasons[0] == "All 33 layers run on the processor (as asked for)."


def test_layers_asked_for_that_do_not_fit() -> None:
    reasons = make_plan(LLAMA_8B, machine(4), PlanRequest(gpu_layers=33)).reasons
    assert reasons[1] == "As asked for, all 33 layers would lie on CUDA0."


def test_what_is_nearest_to_a_fit() -> None:
    plan = make_plan(LLAMA_70B, machine(12, ram_gb=24), PlanRequest())
    assert plan.verdict == "too_big"
    assert (
        f"The nearest to a fit has {plan.n_gpu_layers} of 81 layers on CUDA0; a forced load takes it." in plan.reasons
    )
    assert any(reason.startswith("One more layer would take ") for reason in plan.reasons)


@pytest.mark.parametrize(
    ("names", "text"), [(["A"], "A"), (["A", "B"], "A and B"), (["A", "B", "C"], "A, B and C"), ([], "")]
)
def test_names_in_a_row(names: list[str], text: str) -> None:
    assert listed(names) == text


def test_three_cards_are_listed_with_a_comma() -> None:
    plan = make_plan(LLAMA_70B, machine(24, 24, 24), PlanRequest())
    assert plan.reasons[0] == "All 81 layers fit on CUDA0, CUDA1 and CUDA2."


def test_a_context_that_is_rounded_says_so() -> None:
    reasons = make_plan(LLAMA_8B, machine(48), PlanRequest(context=200000)).reasons
    assert "A context has whole blocks of 256 tokens: for 200,000 it is 200,192." in reasons
    assert any("trained on 131,072" in reason for reason in reasons)
    assert not any("whole blocks" in reason for reason in make_plan(LLAMA_8B, machine(48), PlanRequest(8192)).reasons)


def test_the_least_context_is_offered_where_it_is_faster() -> None:
    plan = make_plan(LLAMA_70B, machine(24, 12, bandwidth_gb=20), PlanRequest())
    assert (plan.verdict, plan.context) == ("partial", 131072)
    (other,) = plan.alternatives
    assert other.context == 4096
    now, then = (round_speed(each.expected.decode_tokens_per_s) for each in (plan, other))
    assert f"With a context of 4,096 it would write about {then} tok/s instead of {now}." in plan.reasons


@pytest.mark.parametrize("gb", [5.5, 6, 7, 8, 10, 12])
def test_no_alternative_is_very_much_slower(gb: float) -> None:
    plan = make_plan(LLAMA_8B, machine(gb, bandwidth_gb=10), PlanRequest())
    for other in plan.alternatives:
        least = SLOWEST_ALTERNATIVE * plan.expected.decode_tokens_per_s
        assert other.expected.decode_tokens_per_s >= least, (gb, other.context)
