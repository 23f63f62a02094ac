"""What a dry run changes, checks of wishes, words and the JSON document."""

import json
from dataclasses import replace

import pytest

from app.core.errors import BadRequest, EngineFailed
from app.library.facts import ModelFacts
from app.plan.budget import budgets_of
from app.plan.estimate import estimate
from app.plan.json import plan_document, plan_from_document
from app.plan.model import study
from app.plan.planner import MAX_DRY_RUNS, candidate_of, make_plan
from app.plan.values import Breakdown, Candidate, PlanRequest, Use
from app.plan.words import round_speed, used_bytes, verdict_sentence
from tests.support.facts import dense
from tests.support.machines import machine

FACTS = dense()
MIB = 2**20


class Measured:
    """A dry run with a compute buffer of a known size; counts what it is asked."""

    def __init__(self, compute_bytes: int) -> None:
        self.asked: list[Candidate] = []
        self.compute_bytes = compute_bytes

    def __call__(self, facts: ModelFacts, candidate: Candidate, gpus: tuple[str, ...]) -> Breakdown:
        self.asked.append(candidate)
        budgets = budgets_of(machine(6), None)
        guess = estimate(study(facts, budgets), candidate, budgets)
        return Breakdown(
            guess.host, {id_: replace(use, compute_bytes=self.compute_bytes) for id_, use in guess.gpus.items()}
        )


def test_exact_bytes_give_more_layers() -> None:
    request = PlanRequest(context=16384, kv_type="f16")
    formula = make_plan(FACTS, machine(6), request)
    measured = Measured(120 * MIB)
    plan = make_plan(FACTS, machine(6), request, measured)
    assert plan.method == "dry_run"
    assert plan.devices[0].compute_bytes == 120 * MIB
    assert plan.n_gpu_layers > formula.n_gpu_layers
    assert len(measured.asked) <= MAX_DRY_RUNS
    assert candidate_of(plan) in [replace(c, tensor_split=plan.tensor_split) for c in measured.asked]


def test_larger_bytes_than_estimated_are_heeded() -> None:
    plan = make_plan(FACTS, machine(6), PlanRequest(context=16384, kv_type="f16"), Measured(1500 * MIB))
    device = plan.devices[0]
    assert plan.method == "dry_run"
    assert device.weights_bytes + device.kv_bytes + device.compute_bytes <= device.free_bytes - device.reserve_bytes


def test_failing_dry_run_leaves_the_formulas_and_says_so() -> None:
    def fails(facts: ModelFacts, candidate: Candidate, gpus: tuple[str, ...]) -> Breakdown:
        raise EngineFailed("llama.cpp's memory answer failed its check (3 of 4 nodes).")

    plan = make_plan(FACTS, machine(6), PlanRequest(), fails)
    assert plan.method == "analytic"
    assert any("3 of 4 nodes" in reason for reason in plan.reasons)


@pytest.mark.parametrize(
    ("request_", "numbers"),
    [
        (PlanRequest(gpu_layers=-1), ("-1",)),
        (PlanRequest(context=0), ("0",)),
        (PlanRequest(context=100), ("100", "256")),
        (PlanRequest(context=999_999_999), ("999,999,999", "16,777,216")),
        (PlanRequest(min_context=1), ("1 ",)),
        (PlanRequest(parallel=0), ("0", "256")),
        (PlanRequest(reserve_bytes=-5), ("-5",)),
    ],
)
def test_impossible_wishes(request_: PlanRequest, numbers: tuple[str, ...]) -> None:
    with pytest.raises(BadRequest) as caught:
        make_plan(FACTS, machine(12), request_)
    assert all(number in caught.value.message + caught.value.hint for number in numbers)


def test_document_and_back() -> None:
    plan = make_plan(FACTS, machine(12), PlanRequest(kv_type="f16"))
    document = json.loads(json.dumps(plan_document(plan)))
    back = plan_from_document(document)
    assert plan_document(back) == plan_document(plan)
    assert candidate_of(back) == candidate_of(plan)
    assert back.alternatives


@pytest.mark.parametrize("document", [{}, {"n_gpu_layers": 3}, {"error": {"kind": "bug"}}])
def test_documents_that_are_no_plan(document: dict[str, object]) -> None:
    with pytest.raises(BadRequest, match="no plan"):
        plan_from_document(document)


def test_sentences() -> None:
    whole = make_plan(FACTS, machine(24), PlanRequest())
    assert verdict_sentence(whole).startswith("Runs fully on your GPU · 131,072 context · about ")
    some = make_plan(FACTS, machine(4), PlanRequest())
    assert "Runs partly on your GPU (" in verdict_sentence(some)
    assert f"{some.n_gpu_layers} of 33 layers" in verdict_sentence(some)
    assert verdict_sentence(make_plan(FACTS, machine(), PlanRequest())).startswith("Fits on your processor · 131,072")
    big = make_plan(FACTS, machine(ram_gb=5), PlanRequest())
    assert verdict_sentence(big).startswith("Too big for this computer: needs ")
    assert "lacks" in big.reasons[0]


def test_context_beyond_training_is_warned_about() -> None:
    plan = make_plan(dense(trained=4096), machine(24), PlanRequest(context=8192))
    assert plan.context == 8192
    assert any("trained on 4,096" in reason for reason in plan.reasons)


@pytest.mark.parametrize(
    ("speed", "text"), [(0.83, "0.8"), (4.32, "4.3"), (44.6, "45"), (131.0, "130"), (1146.3, "1,150")]
)
def test_speed_is_rounded(speed: float, text: str) -> None:
    assert round_speed(speed) == text


def test_use_adds_up() -> None:
    assert Use(1, 2, 3).total_bytes == 6


def test_more_layers_than_there_are_means_all() -> None:
    plan = make_plan(FACTS, machine(48), PlanRequest(gpu_layers=99))
    assert (plan.n_gpu_layers, plan.verdict) == (plan.n_layers_total, "gpu")


def test_a_card_with_no_room_at_all_stays_out() -> None:
    plan = make_plan(FACTS, machine(0.2), PlanRequest())
    assert (plan.verdict, plan.n_gpu_layers, plan.tensor_split) == ("cpu", 0, (0,))
    assert used_bytes(plan.devices[0]) == 0
    assert "too little to help" in plan.reasons[0]
