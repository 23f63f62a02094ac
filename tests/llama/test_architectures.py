"""Weights and caches by formula against llama.cpp's dry run, to the byte: more than a hundred architectures.

Each in five settings or more: on the host, on one simulated card with CUDA's rules, on two; caches of three types.
"""

import json
import random
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from app.actions.context import Pronk
from app.core.paths import Home
from app.devices.values import Gpu
from app.jobs.helper import Helper
from app.library.facts import ModelFacts
from app.library.facts_reader import read_facts
from app.plan.budget import budgets_of
from app.plan.estimate import estimate
from app.plan.kv import kv_types
from app.plan.model import study
from app.plan.values import Candidate, KvType, TensorOverride, Use
from app.plan.weights import expert_pattern
from tests.support.architectures import HollowModel, golden_models, grown_models
from tests.support.counts import counted
from tests.support.machines import machine

pytestmark = pytest.mark.native

CARD_BYTES = 24 * 10**9
CARDS = tuple(Gpu(f"GPU{i}", "RTX 3090", "cuda", CARD_BYTES, CARD_BYTES) for i in range(2))
LEAST_ARCHITECTURES = 100


@dataclass(frozen=True)
class Case:
    """A candidate and the cards it may use."""

    n_cards: int
    candidate: Candidate


@pytest.fixture
def helper(home: Home) -> Iterator[Helper]:
    pronk = Pronk(home)
    helper = pronk.helper_for("--simulate", json.dumps([[gpu.id, gpu.name, gpu.total_bytes] for gpu in CARDS]))
    yield helper
    helper.close()
    pronk.close()


def cases(facts: ModelFacts) -> Iterator[Case]:
    """Yield host, one card and two; contexts that are no multiple of 256; every cache type; drafts; experts apart."""
    total, types = facts.n_layers + 1, kv_types(facts)

    def kept(wanted: KvType) -> KvType:
        return wanted if wanted in types else "f16"

    yield Case(0, Candidate(0, 33000))
    yield Case(1, Candidate(total, 1000, kept("q8_0"), n_ubatch=256, parallel=4, n_outputs_max=4))
    yield Case(1, Candidate(max(1, total // 2), 4096, n_outputs_max=9))
    yield Case(2, Candidate(total, 4096, kept("q4_0"), tensor_split=(total // 2, total - total // 2)))
    yield Case(2, Candidate(total - 1, 2048, parallel=4, n_outputs_max=4, tensor_split=(1, total - 2)))
    if any("exps" in tensor.name for tensor in facts.tensors):
        override = TensorOverride(expert_pattern(range(facts.n_layers // 2, facts.n_layers)), "CPU")
        yield Case(1, Candidate(total, 4096, tensor_overrides=(override,)))


def chosen() -> list[HollowModel]:
    """Give one model of each of some architectures, by a seed; in the soak every model there is."""
    models = golden_models() + grown_models()
    one_each = {model.architecture: model for model in models}
    assert len(one_each) >= LEAST_ARCHITECTURES
    if counted(10) == 10:
        return models
    return random.Random(20261122).sample(list(one_each.values()), 45)


def test_formulas_equal_the_dry_run(helper: Helper, home: Home, tmp_path: Path) -> None:
    wrong = []
    for model in chosen():
        path = model.write(tmp_path)
        facts = read_facts(path)
        for case in cases(facts):
            wrong += [f"{model.name} {case}: {line}" for line in differences(helper, home, facts, case)]
    assert not wrong, "\n".join(wrong)


def differences(helper: Helper, home: Home, facts: ModelFacts, case: Case) -> Iterator[str]:
    cards = CARDS[: case.n_cards]
    budgets = budgets_of(replace(machine(), gpus=cards, simulated=True), None)
    guess = estimate(study(facts, budgets), case.candidate, budgets)
    exact: dict[str, Any] = helper.ask(
        "dry_run",
        60,
        model=facts.path,
        skeletons=str(home.cache),
        gpus=[card.id for card in cards],
        candidate=asdict(case.candidate),
    )
    uses = {"CPU": (guess.host, Use(**exact["host"]))}
    uses |= {card.id: (guess.gpus[card.id], Use(**exact["gpus"][card.id])) for card in cards}
    for device, (mine, theirs) in uses.items():
        if (mine.weights_bytes, mine.kv_bytes) != (theirs.weights_bytes, theirs.kv_bytes):
            yield f"{device}: formulas {mine}, llama.cpp {theirs}"
