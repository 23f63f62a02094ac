"""The chosen plan against everything that could have been chosen, by llama.cpp's own dry run on simulated cards."""

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from app.core.paths import Home
from app.devices.values import Devices, Gpu
from app.library.facts import ModelFacts
from app.plan.budget import budgets_of
from app.plan.fit import Knowledge, shortages
from app.plan.planner import MAX_DRY_RUNS, candidate_of, make_plan
from app.plan.search import Search
from app.plan.speed import throughputs_of
from app.plan.values import NOTHING_LEARNED, Breakdown, Candidate, KvType, Learned, LoadPlan, PlanRequest
from tests.support.counts import counted
from tests.support.exhaustive import Exhaustive
from tests.support.machines import machine
from tests.support.skeleton_models import SkeletonModel, skeleton_models
from tests.support.skeletons import SimulatedCards, simulated_cards, write_skeleton

pytestmark = [pytest.mark.native, pytest.mark.soak]

GIB = 2**30
CONTEXTS = (4096, 32768, 131072)
KV_TYPES: tuple[KvType, ...] = ("f16", "q8_0")
IS_WHOLE = counted(10) == 10
CARDS = (4, 6, 8, 12, 16, 24, 48) if IS_WHOLE else (4, 12, 24)
CARD_SETS = ((4, 8), (12, 6), (8, 12), (24, 24), (16, 48), (6, 6, 6), (8, 16, 12), (24, 12, 8, 6))
MODELS = {model.name: model for model in skeleton_models()}
DENSE = [name for name, model in MODELS.items() if not model.n_expert]
EXPERTS = [name for name, model in MODELS.items() if model.n_expert]


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatedCards]:
    with simulated_cards(Home(tmp_path_factory.mktemp("home")).prepare()) as cards:
        yield cards


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("skeletons")


def cards(*gib: int) -> Devices:
    """Return a computer with so much main memory that only the cards matter."""
    gpus = tuple(Gpu(f"GPU{i}", "RTX 3060", "cuda", size * GIB, size * GIB) for i, size in enumerate(gib))
    return replace(machine(ram_gb=1000), gpus=gpus, simulated=True)


def learned_on(devices: Devices, seed: int) -> Learned:
    """Return nothing, or reserves of any size, half of the time each."""
    rng = random.Random(seed)
    if rng.random() < 0.5:
        return NOTHING_LEARNED
    return Learned(reserves={gpu.id: rng.randrange(192, 1500) * 2**20 for gpu in devices.gpus})


class Planned:
    """A plan, and what was asked for it."""

    def __init__(
        self, facts: ModelFacts, devices: Devices, request: PlanRequest, ask: SimulatedCards, seed: int
    ) -> None:
        self.asked: list[Candidate] = []
        self.learned = learned_on(devices, seed)

        def counting(facts: ModelFacts, candidate: Candidate, gpus: tuple[str, ...]) -> Breakdown:
            self.asked.append(candidate)
            return ask(facts, candidate, gpus)

        self.plan: LoadPlan = make_plan(facts, devices, request, counting, self.learned)
        self.budgets = budgets_of(devices, None, self.learned.reserves)
        assert len(self.asked) <= MAX_DRY_RUNS
        assert self.plan.method == "dry_run"
        assert not shortages(ask(facts, candidate_of(self.plan), tuple(g.id for g in devices.gpus)), self.budgets)


def tables(names: list[str], whole: int, seed: int) -> list[tuple[SkeletonModel, int, KvType]]:
    """Return a seeded choice of (model, context, KV type)."""
    every = [(MODELS[name], context, kv_type) for name in names for context in CONTEXTS for kv_type in KV_TYPES]
    return random.Random(seed).sample(every, counted(min(whole, len(every))))


def label(value: object) -> str:
    return value.name if isinstance(value, SkeletonModel) else str(value)


@pytest.mark.parametrize(("model", "context", "kv_type"), tables(DENSE, 1000, 4), ids=label)
def test_one_card_gets_the_most_layers(
    ask: SimulatedCards, folder: Path, model: SkeletonModel, context: int, kv_type: KvType
) -> None:
    facts = write_skeleton(model, folder)
    for gib in CARDS:
        devices = cards(gib)
        done = Planned(facts, devices, PlanRequest(context=context, kv_type=kv_type), ask, gib + context)
        most = Exhaustive(facts, done.budgets, ask, context, kv_type).most_layers()
        assert done.plan.n_gpu_layers == most, (gib, done.asked)


@pytest.mark.parametrize(
    ("name", "kv_type", "card_bytes"),
    [
        # The buffer falls by the widest cache once it leaves the host: 44 layers take less than 43.
        ("Gemma 3 12B", "q8_0", 11_957_787_887),
        # No flash attention where the last layer on the host is one with attention: 8.9 GB for some numbers of layers.
        ("LFM2 1.2B", "f16", 160_985_031),
        ("LFM2 1.2B", "f16", 276_622_167),
        ("LFM2 1.2B", "f16", 334_440_735),
    ],
)
def test_what_is_expected_wrongly_is_found_out(
    ask: SimulatedCards, folder: Path, name: str, kv_type: KvType, card_bytes: int
) -> None:
    facts, devices = write_skeleton(MODELS[name], folder), cards(1)
    devices = replace(devices, gpus=(replace(devices.gpus[0], total_bytes=card_bytes, free_bytes=card_bytes),))
    request = PlanRequest(context=131072, kv_type=kv_type, reserve_bytes=0)
    plan = make_plan(facts, devices, request, ask)
    most = Exhaustive(facts, budgets_of(devices, 0), ask, 131072, kv_type).most_layers()
    assert plan.n_gpu_layers == most > 0


@pytest.mark.parametrize(("model", "context", "kv_type"), tables(DENSE, 40, 5), ids=label)
def test_several_cards_get_the_most_layers_but_one(
    ask: SimulatedCards, folder: Path, model: SkeletonModel, context: int, kv_type: KvType
) -> None:
    facts = write_skeleton(model, folder)
    for gib in CARD_SETS[:: 1 if IS_WHOLE else 3]:
        done = Planned(facts, cards(*gib), PlanRequest(context=context, kv_type=kv_type), ask, sum(gib) + context)
        if done.plan.n_gpu_layers == facts.n_layers + 1:
            continue
        most = Exhaustive(facts, done.budgets, ask, context, kv_type).most_layers()
        assert done.plan.n_gpu_layers >= most - 1, (gib, done.asked)


@pytest.mark.parametrize(("model", "context", "kv_type"), tables(EXPERTS, 20, 6), ids=label)
def test_layers_and_experts_together_are_the_quickest(
    ask: SimulatedCards, folder: Path, model: SkeletonModel, context: int, kv_type: KvType
) -> None:
    facts = write_skeleton(model, folder)
    for gib in (6, 12, 24) if IS_WHOLE else (12,):
        devices = cards(gib)
        done = Planned(facts, devices, PlanRequest(context=context, kv_type=kv_type), ask, gib + context)
        search = Search(
            PlanRequest(kv_type=kv_type),
            Knowledge(Exhaustive(facts, done.budgets, ask, context, kv_type).model, done.budgets),
            throughputs_of(devices, done.budgets),
        )
        trying = Exhaustive(facts, done.budgets, ask, context, kv_type)
        cost_s = search.judge(candidate_of(done.plan)).cost_s
        quicker = [each for each in trying.with_experts() if search.judge(each).cost_s < cost_s / 1.001]
        # From the quickest on the list is long; those just beyond the choice are the ones that could fit.
        for candidate in sorted(quicker, key=lambda each: -search.judge(each).cost_s)[: counted(400)]:
            assert not trying.fits(candidate), (gib, candidate, done.plan.n_gpu_layers, done.plan.tensor_overrides)


@pytest.mark.parametrize(("name", "gib"), [("Llama 3.1 8B", 12), ("Gemma 3 12B", 16), ("LFM2 1.2B", 4)])
def test_the_largest_context_is_found_within_256(ask: SimulatedCards, folder: Path, name: str, gib: int) -> None:
    facts = write_skeleton(MODELS[name], folder)
    for kv_type in KV_TYPES[: counted(20)]:
        done = Planned(facts, cards(gib), PlanRequest(context="max", kv_type=kv_type), ask, gib)
        assert done.plan.verdict == "gpu"
        if done.plan.context == facts.context_length:
            continue
        beyond = Exhaustive(facts, done.budgets, ask, done.plan.context + 256, kv_type)
        assert not any(beyond.fits(candidate) for candidate in beyond.candidates(facts.n_layers + 1)), done.asked


@pytest.mark.parametrize(("model", "context", "kv_type"), tables(list(MODELS), 20, 7), ids=label)
def test_memory_grows_with_layers(
    ask: SimulatedCards, folder: Path, model: SkeletonModel, context: int, kv_type: KvType
) -> None:
    """What the search leans on; compute buffers may fall where the last of the widest caches leaves the host."""
    facts = write_skeleton(model, folder)
    before = 0
    for layers in range(1, facts.n_layers + 1, 1 if IS_WHOLE else 9):
        use = ask(facts, Candidate(layers, context, kv_type, tensor_split=(layers,)), ("GPU0",)).gpus["GPU0"]
        assert use.weights_bytes + use.kv_bytes >= before
        before = use.weights_bytes + use.kv_bytes
