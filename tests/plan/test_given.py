"""Plans that somebody wrote: what llama.cpp would abort on, or try for hours, is refused in words."""

import json
import time
from typing import Any

import pytest

from app.core.errors import BadRequest
from app.plan.json import plan_document, plan_from_document
from app.plan.planner import make_plan
from app.plan.values import PlanRequest
from app.plan.weights import expert_pattern
from tests.support.facts import dense
from tests.support.machines import machine


@pytest.fixture(scope="module")
def plan() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(json.dumps(plan_document(make_plan(dense(), machine(12), PlanRequest()))))
    return document


def override(pattern: object, device: object = "CPU") -> list[dict[str, object]]:
    return [{"pattern": pattern, "device": device}]


SENSELESS: dict[str, list[Any]] = {
    "context": [0, -5, 512.5, "abc", True, None, 10**30, 10**5000],
    "n_ubatch": [0, 10**9],
    "n_threads": [0, -3, 10**6],
    "parallel": [0, 257],
    "kv_type": ["q3_x", None, ["f16"]],
    "n_gpu_layers": [-7, 10**20],
    "tensor_split": [[-1, 2], ["1"], 5],
    "devices": [[{"id": 5}], ["CUDA0"], 3],
    "expected": [{"prefill_tokens_per_s": "x", "decode_tokens_per_s": None}, []],
    "alternatives": [[{"n_gpu_layers": 3}], [[]], 7],
    "tensor_overrides": [
        override("blk", None),
        *[override(pattern) for pattern in (5, "", "(((", "(.*)*(.*)*x", r"(a)\1", "a" * 5000)],
        *[override(pattern) for pattern in ("(" * 2000 + "a" + ")" * 2000, "a*" * 30, "a?" * 30)],
    ],
}


@pytest.mark.parametrize("field", SENSELESS)
def test_senseless_figures_are_refused(plan: dict[str, Any], field: str) -> None:
    for value in SENSELESS[field]:
        start_s = time.monotonic()
        with pytest.raises(BadRequest, match="no plan of Pronk") as caught:
            plan_from_document({**plan, field: value})
        assert len(caught.value.message) < 300
        assert time.monotonic() - start_s < 1


@pytest.mark.parametrize("pattern", [expert_pattern(range(1000)), expert_pattern([1, 3, 94]), r"^blk\.\d+\.ffn_.*exps"])
def test_sensible_patterns_are_taken(plan: dict[str, Any], pattern: str) -> None:
    assert plan_from_document({**plan, "tensor_overrides": override(pattern)}).tensor_overrides[0].pattern == pattern


def test_alternatives_of_alternatives_are_left_out(plan: dict[str, Any]) -> None:
    deep = plan
    for _ in range(3000):
        deep = {**plan, "alternatives": [deep]}
    (other,) = plan_from_document(deep).alternatives
    assert other.alternatives == ()
