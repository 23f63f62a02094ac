"""Foretold speed follows from rates, layers and look-back; measured rates go before typical ones."""

from dataclasses import replace

import pytest

from app.library.facts import ModelFacts
from app.plan.budget import budgets_of
from app.plan.model import study
from app.plan.speed import expected_speed
from app.plan.throughput import throughputs_of
from app.plan.values import Candidate, ExpectedSpeed, Learned, Pace, Rate
from app.plan.work import work_of
from tests.support.facts import dense, experts
from tests.support.machines import machine

FREE = Pace(0.0, 0.0, 0.0, 0.0)
MODEL = dense()


def foretold(
    facts: ModelFacts, learned: Learned, n_gpu_layers: int = 0, cards: tuple[float, ...] = ()
) -> ExpectedSpeed:
    devices = machine(*cards)
    budgets = budgets_of(devices, None)
    speeds = throughputs_of(devices, budgets, learned)
    return expected_speed(study(facts, budgets), Candidate(n_gpu_layers, 4096), speeds)


def measured(device: str, rate: Rate, pace: Pace = FREE) -> Learned:
    rates = {(device, name): rate for name in ("Q4_K", "Q6_K", "F32", "F16", "Q8_0")}
    return Learned({}, rates, {device: pace})


def test_writing_reads_every_weight_once() -> None:
    speed = foretold(MODEL, measured("CPU", Rate(10e9, 100e9)))
    work = work_of(MODEL)
    size_bytes = sum(work.bytes_by_type.values())
    assert speed.decode_tokens_per_s == pytest.approx(10e9 / size_bytes, rel=0.02)


def test_reading_multiplies_with_every_weight_but_the_output() -> None:
    speed = foretold(MODEL, measured("CPU", Rate(10e9, 100e9)))
    blocks = [tensor for tensor in MODEL.tensors if tensor.name.startswith("blk.") and len(tensor.shape) == 2]
    parameters = sum(tensor.shape[0] * tensor.shape[1] for tensor in blocks)
    assert speed.prefill_tokens_per_s == pytest.approx(100e9 / (2 * parameters), rel=0.05)


def test_twice_the_rate_is_twice_the_speed_and_looking_back_costs() -> None:
    slow, fast = (foretold(MODEL, measured("CPU", Rate(rate, 10 * rate))) for rate in (10e9, 20e9))
    assert fast.decode_tokens_per_s == pytest.approx(2 * slow.decode_tokens_per_s, rel=0.02)
    assert slow.task_s == pytest.approx(2 * fast.task_s, rel=0.02)
    looking = foretold(MODEL, measured("CPU", Rate(10e9, 100e9), replace(FREE, attention_decode_s=1e-9)))
    assert looking.decode_tokens_per_s < slow.decode_tokens_per_s
    assert looking.prefill_tokens_per_s == slow.prefill_tokens_per_s


def test_layers_are_added_up_where_they_lie() -> None:
    learned = measured("CUDA0", Rate(100e9, 1e13))
    learned = replace(learned, rates={**learned.rates, **measured("CPU", Rate(10e9, 100e9)).rates})
    speeds = [foretold(MODEL, learned, layers, (24,)).decode_tokens_per_s for layers in (0, 16, 32, 33)]
    assert speeds == sorted(speeds)
    assert speeds[-1] == pytest.approx(100e9 / sum(work_of(MODEL).bytes_by_type.values()), rel=0.1)


def test_a_token_meets_few_experts() -> None:
    facts = experts()
    work = work_of(facts)
    dense_bytes = sum(sum(part.values()) for part in (*work.layers, work.output))
    expert_bytes = sum(sum(part.values()) for part in work.experts)
    share = facts.hyperparameter("expert_used_count") / facts.hyperparameter("expert_count")
    speed = foretold(facts, measured("CPU", Rate(10e9, 100e9)))
    assert speed.decode_tokens_per_s == pytest.approx(10e9 / (dense_bytes + share * expert_bytes), rel=0.05)


def test_types_not_measured_yet_shift_as_those_that_are() -> None:
    devices = machine()
    budgets = budgets_of(devices, None)
    typical = throughputs_of(devices, budgets).host.rates
    half = Rate(typical["Q4_K"].decode_bytes_per_s / 2, typical["Q4_K"].prefill_flops / 3)
    learned = throughputs_of(devices, budgets, Learned({}, {("CPU", "Q4_K"): half})).host.rates
    assert learned["Q4_K"] == half
    assert learned["Q8_0"].decode_bytes_per_s == pytest.approx(typical["Q8_0"].decode_bytes_per_s / 2)
    assert learned["Q8_0"].prefill_flops == pytest.approx(typical["Q8_0"].prefill_flops / 3)


def test_the_threads_and_pieces_found_fastest_are_planned_with() -> None:
    devices = machine()
    speeds = throughputs_of(devices, budgets_of(devices, None), Learned(n_threads=6, n_ubatch=1024))
    assert (speeds.n_threads, speeds.pieces) == (6, (1024, 512, 256))
    assert throughputs_of(devices, budgets_of(devices, None)).pieces == (512, 256)
