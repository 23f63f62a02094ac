"""Models whose headers hold counts that are none: refused in words, whatever the devices are."""

from dataclasses import replace

import pytest

from app.core.errors import BadFile
from app.plan.planner import make_plan
from app.plan.values import PlanRequest
from tests.support.facts import dense
from tests.support.machines import machine


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("attention.head_count_kv", float("nan")),
        ("attention.head_count", "x"),
        ("attention.head_count", ()),
        ("attention.head_count_kv", (8, "x")),
        ("feed_forward_length", ()),
        ("feed_forward_length", -1),
        ("context_length", float("inf")),
    ],
)
@pytest.mark.parametrize("gpu_gb", [(), (12,), (12, 8)])
def test_counts_that_are_none(key: str, value: object, gpu_gb: tuple[int, ...]) -> None:
    facts = dense()
    facts = replace(facts, metadata={**facts.metadata, f"{facts.architecture}.{key}": value})
    with pytest.raises(BadFile, match=f"its {key} is"):
        make_plan(facts, machine(*gpu_gb), PlanRequest())
