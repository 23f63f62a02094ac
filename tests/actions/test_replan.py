"""Plans after memory ran out, from real devices and real dry runs."""

from pathlib import Path

import pytest

from app.actions.context import Pronk
from app.actions.models import inspect_model
from app.actions.plan import plan_here
from app.actions.replan import Replanner, Wishes
from app.core.errors import NotEnoughMemory
from app.core.paths import Home
from app.engine.recovery import Lesson
from app.engine.room import planned_use
from app.plan.json import plan_document
from app.plan.values import PlanRequest
from tests.support.models import gemma3_gguf

pytestmark = pytest.mark.native

MIB = 2**20


def test_the_processor_is_asked_for_less_each_time(home: Home) -> None:
    """Without a wish for a context the next plan has a smaller one; with none left the error has numbers."""
    pronk, request = Pronk(home), PlanRequest()
    facts = inspect_model(pronk, str(gemma3_gguf()))
    _, first = plan_here(pronk, facts, request)
    plan = plan_document(first)
    replan = Replanner(pronk, facts, Wishes(request))
    used = planned_use(plan)["CPU"]
    assert first.context == 32768
    again = replan(Lesson("load", "It did not fit.", ("CPU",), {}, plan))
    assert 4096 <= again["context"] < first.context
    assert planned_use(again)["CPU"] <= used - 128 * MIB
    with pytest.raises(NotEnoughMemory, match="can be used"):
        replan(Lesson("load", "It did not fit.", ("CPU",), {}, again))


def test_what_other_programs_took_is_not_remembered(home: Home, tmp_path: Path) -> None:
    pronk, request = Pronk(home), PlanRequest(context=4096)
    facts = inspect_model(pronk, str(gemma3_gguf()))
    _, first = plan_here(pronk, facts, request)
    replan = Replanner(pronk, facts, Wishes(request))
    again = replan(Lesson("load", "Others took it.", ("CPU",), {"CPU": 10 * MIB}, plan_document(first)))
    assert again["context"] == 4096
    assert not (home.cache / "reserves.json").exists()
