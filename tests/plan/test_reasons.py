"""The sentences of a plan: every subtraction adds up as it is shown, and what decided is named."""

import itertools
import random
import re
from dataclasses import replace

import pytest

from app.core.units import format_size
from app.devices.values import TYPICAL_BANDWIDTH_BYTES_PER_S
from app.plan.arithmetic import rounded, subtraction
from app.plan.planner import make_plan
from app.plan.values import Breakdown, Candidate, DevicePlan, PlanRequest, Use
from app.plan.words import used_bytes, verdict_sentence
from tests.support.facts import dense, experts
from tests.support.machines import GB, machine

NUMBER = r"(\d+(?:\.\d+)?)"


def adds_up(text: str) -> bool:
    total, *taken = (float(number) for number in re.findall(NUMBER, text.split(" = ")[0]))
    left = float(re.findall(NUMBER, text.split(" = ")[1])[0])
    return abs(total - sum(taken) - left) < 1e-6


def as_shown(size_bytes: int, number: str) -> bool:
    """Tell whether a number of GB with one or two decimals is what these bytes round to."""
    return abs(float(number) - size_bytes / GB) < 0.5 / 10 ** len(number.split(".")[1]) + 1e-9


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


def test_a_reserve_takes_no_more_than_there_is() -> None:
    text = subtraction(DevicePlan("CPU", 10**9, 10**9, 2147 * 10**6, 4558 * 10**6, 285 * 10**6, 59 * 10**6))
    assert text == "1000 MB − 1000 of the reserve − 4558 weights − 285 KV − 59 compute: 4902 too little"


def test_rounding_keeps_the_sum() -> None:
    assert rounded([1000, -333, -334, -333], 10) == [100, -33, -34, -33]
    assert sum(rounded([100, -33, -33, -34], 10)) == 0


def test_rounding_changes_the_largest_alone() -> None:
    """Small terms and the result are rounded as they are anywhere else in a plan."""
    rng, mb = random.Random(4), 10**6
    for _ in range(500):
        reserve, kv, compute = (rng.randrange(3000) * mb for _ in range(3))
        weights = rng.randrange(5000, 30000) * mb
        left = rng.randrange(-5000, 5000) * mb
        total = weights + reserve + kv + compute + left
        text = subtraction(DevicePlan("GPU0", total, total, reserve, weights, kv, compute))
        for name, size in (("reserve", reserve), ("KV", kv), ("compute", compute)):
            shown = re.search(rf"{NUMBER} {name}", text)
            assert as_shown(size, shown[1] if shown else "0.0"), (name, size, text)
        result = re.search(rf"{NUMBER} (?:left|too little)", text)
        assert result is not None
        assert as_shown(abs(left), result[1]), (left, text)


@pytest.mark.parametrize(("gpus", "ram"), [((4,), 16), ((8,), 8), ((), 5), ((), 1)])
def test_what_is_missing_is_the_same_everywhere(gpus: tuple[int, ...], ram: int) -> None:
    """The reason, the line of arithmetic and the verdict have one definition: what is needed less what is usable."""
    plan = make_plan(experts(), machine(*gpus, ram_gb=ram), PlanRequest())
    assert plan.verdict == "too_big"
    host = plan.host
    missing = used_bytes(host) - max(0, host.free_bytes - host.reserve_bytes)
    assert plan.reasons[0].startswith(f"Main memory lacks {format_size(missing)} ")
    line = next(reason for reason in plan.reasons if reason.startswith("Main memory: "))
    number = re.findall(rf"{NUMBER} too little", line)[0]
    assert as_shown(missing, number) if " GB " in line else number == f"{missing / 10**6:.0f}"


def test_more_decimals_where_one_would_not_add_up() -> None:
    sizes = (3200 * 10**6, 151 * 10**6, 0, 50 * 10**6)
    assert subtraction(DevicePlan("CPU", 32 * GB, 32 * GB, *sizes)) == (
        "32.00 GB − 3.20 reserve − 0.15 weights − 0.05 compute = 28.60 left"
    )


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
