"""The sentences of a plan: every subtraction adds up as it is shown, and what decided is named."""

import itertools
import random
import re
from dataclasses import replace

import pytest

from app.devices.values import TYPICAL_BANDWIDTH_BYTES_PER_S
from app.plan.arithmetic import rounded, subtraction
from app.plan.planner import make_plan
from app.plan.values import Breakdown, Candidate, DevicePlan, PlanRequest, Use
from app.plan.words import verdict_sentence
from tests.support.facts import dense, experts
from tests.support.machines import GB, machine

NUMBER = r"(\d+(?:\.\d+)?)"


def adds_up(text: str) -> bool:
    total, *taken = (float(number) for number in re.findall(NUMBER, text.split(" = ")[0]))
    left = float(re.findall(NUMBER, text.split(" = ")[1])[0])
    return abs(total - sum(taken) - left) < 1e-6


def test_every_subtraction_adds_up() -> None:
    rng = random.Random(3)
    for _ in range(500):
        total = rng.randrange(300 * 10**6, 80 * GB)
        parts = sorted(rng.randrange(total) for _ in range(6))
        used, reserve, weights, kv, compute = (b - a for a, b in itertools.pairwise(parts))
        text = subtraction(DevicePlan("CUDA0", total, total - used, reserve, weights, kv, compute))
        assert adds_up(text), text


def test_what_is_too_little_is_said() -> None:
    text = subtraction(DevicePlan("CUDA0", 6 * GB, 6 * GB, GB, 6 * GB, 0, 0))
    assert text == "6.0 GB − 1.0 reserve − 6.0 weights: 1.0 too little"


def test_rounding_keeps_the_sum() -> None:
    assert sum(rounded([100, -33, -33, -34], 10)) == 0
    assert rounded([100, -33, -33, -34], 10)[0] == 10


def test_a_card_that_others_use() -> None:
    devices = machine(6)
    card = replace(devices.gpus[0], free_bytes=5 * GB - 200 * 10**6, used_by_others_bytes=1200 * 10**6)
    plan = make_plan(dense(), replace(devices, gpus=(card,)), PlanRequest(context=8192, kv_type="f16"))
    line = next(reason for reason in plan.reasons if reason.startswith("CUDA0"))
    assert "− 1.2 other programs" in line
    assert adds_up(line.split(": ", 1)[1])
    assert "1.2 GB of it is used by other programs." in plan.reasons
    assert plan.reasons[0] == f"{plan.n_gpu_layers} of 33 layers fit on CUDA0; the others run on the processor."
    assert any(reason.startswith("One more layer would take") for reason in plan.reasons)


def test_why_the_cache_and_the_experts() -> None:
    plan = make_plan(experts(), machine(12), PlanRequest(context=32768))
    assert plan.kv_type == "q8_0"
    assert any(reason.startswith("KV is stored as q8_0: as f16 it would take ") for reason in plan.reasons)
    assert any(reason.startswith("The experts of ") and "lie in main memory" in reason for reason in plan.reasons)


def test_a_computer_that_is_not_here() -> None:
    devices = machine(12, bandwidth_gb=TYPICAL_BANDWIDTH_BYTES_PER_S / GB)
    card = replace(devices.gpus[0], name="Voodoo 2")
    plan = make_plan(dense(), replace(devices, gpus=(card,), simulated=True), PlanRequest())
    assert "Nothing is known of Voodoo 2: 300 GB a second is assumed." in plan.reasons
    assert any("50.0 GB a second" in reason for reason in plan.reasons)


def test_sizes_from_the_log_are_told() -> None:
    def logged(facts: object, candidate: Candidate, gpus: tuple[str, ...]) -> Breakdown:
        return Breakdown(Use(GB, GB, GB), {}, is_exact=False)

    plan = make_plan(dense(), machine(), PlanRequest(), logged)
    assert plan.method == "analytic"
    assert "Compute sizes come from llama.cpp's log, weights and KV from formulas." in plan.reasons


@pytest.mark.parametrize(
    ("request_", "outputs"),
    [
        (PlanRequest(parallel=4, draft_tokens=3), 16),
        (PlanRequest(parallel=2), 2),
        (PlanRequest(all_outputs=True), 512),
        (PlanRequest(parallel=64, draft_tokens=60), 512),
    ],
)
def test_outputs(request_: PlanRequest, outputs: int) -> None:
    assert make_plan(dense(), machine(48), request_).n_outputs_max == outputs


def test_a_bound_alone_refuses_nothing() -> None:
    """At the edge where formulas are too careful the dry run says what fits, and formulas do not contradict it."""
    facts, request = dense(), PlanRequest(context=4096, kv_type="f16")

    def exact(facts: object, candidate: Candidate, gpus: tuple[str, ...]) -> Breakdown:
        whole = make_plan(dense(), machine(ram_gb=64), replace(request, kv_type=candidate.kv_type)).host
        return Breakdown(Use(whole.weights_bytes, whole.kv_bytes, whole.compute_bytes // 10))

    for hundredth in range(680, 780, 2):
        devices = machine(ram_gb=hundredth / 100)
        verdict = make_plan(facts, devices, request, exact).verdict
        plan = make_plan(facts, devices, request)
        assert verdict == "too_big" or plan.verdict != "too_big", hundredth
        used = plan.host.weights_bytes + plan.host.kv_bytes + plan.host.compute_bytes
        assert plan.verdict == "too_big" or used <= plan.host.free_bytes - plan.host.reserve_bytes
    assert make_plan(facts, machine(ram_gb=6), request).verdict == "too_big"


def test_a_context_that_is_too_large_gets_a_smaller_one_as_an_alternative() -> None:
    plan = make_plan(dense(), machine(ram_gb=10), PlanRequest(context=131072))
    assert plan.verdict == "too_big"
    assert [other.context for other in plan.alternatives] == [4096]
    assert plan.alternatives[0].verdict == "cpu"


def test_what_does_not_fit_one_device_is_named() -> None:
    plan = make_plan(dense(), machine(4), PlanRequest(gpu_layers=33))
    assert verdict_sentence(plan).startswith("Does not fit this way: CUDA0 lacks ")
