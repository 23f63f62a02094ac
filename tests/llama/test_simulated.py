"""Cards that are not here: formulas against llama.cpp's layout with CUDA's rules, the choice against all choices."""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import pytest

from app.actions.context import Pronk
from app.actions.plan import plan_model
from app.core.errors import UnsupportedModel
from app.core.paths import Home
from app.devices.values import Devices, Gpu
from app.jobs.helper import Helper
from app.library.facts import ModelFacts
from app.library.facts_reader import read_facts
from app.plan.budget import Budgets, budgets_of
from app.plan.estimate import estimate
from app.plan.fit import shortages
from app.plan.model import study
from app.plan.planner import candidate_of
from app.plan.values import Breakdown, Candidate, PlanRequest, TensorOverride, Use, used_gpus
from app.plan.weights import expert_pattern
from tests.support.facts import dense, experts
from tests.support.hollow import write_hollow
from tests.support.machines import machine
from tests.support.models import gemma3_gguf, smollm2_gguf

pytestmark = pytest.mark.native

MB = 10**6


def cards(*sizes: int) -> Devices:
    """Return a computer with simulated cards of these bytes."""
    gpus = tuple(Gpu(f"GPU{i}", "RTX 3060", "cuda", size, size) for i, size in enumerate(sizes))
    return replace(machine(), gpus=gpus, simulated=True)


@pytest.fixture
def pronk(home: Home) -> Iterator[Pronk]:
    context = Pronk(home)
    yield context
    context.close()


@pytest.fixture
def helper(pronk: Pronk) -> Iterator[Helper]:
    """A helper with two cards of 24 GB."""
    words = json.dumps([[gpu.id, gpu.name, gpu.total_bytes] for gpu in cards(24000 * MB, 24000 * MB).gpus])
    simulating = pronk.helper_for("--simulate", words)
    yield simulating
    simulating.close()


def dry_run(helper: Helper, home: Home, facts: ModelFacts, candidate: Candidate, gpus: tuple[str, ...]) -> Breakdown:
    gpus, split = used_gpus(gpus, candidate.tensor_split)
    asked = asdict(replace(candidate, tensor_split=split))
    answer = helper.ask("dry_run", 60, model=facts.path, skeletons=str(home.cache), gpus=list(gpus), candidate=asked)
    return Breakdown(Use(**answer["host"]), {id_: Use(**use) for id_, use in answer["gpus"].items()})


def hollow(make: Callable[[], ModelFacts], folder: Path) -> ModelFacts:
    facts = make()
    return replace(facts, path=str(write_hollow(facts, folder / "hollow.gguf")))


MODELS: dict[str, Callable[[Path], ModelFacts]] = {
    "smollm2": lambda _: read_facts(smollm2_gguf()),
    "gemma3": lambda _: read_facts(gemma3_gguf()),
    "llama 8B": partial(hollow, dense),
    "llama 70B": partial(hollow, partial(dense, 80, 8192, 28672, 64, 8)),
    "qwen3 30B-A3B": partial(hollow, experts),
    "qwen3 235B-A22B": partial(hollow, partial(experts, 94, 4096, 128, 8, 1536)),
}


def candidates(facts: ModelFacts) -> Iterator[Candidate]:
    """Yield none, one, some and all layers on a card, on two cards, with quantized caches, with experts kept back."""
    total = facts.n_layers + 1
    for layers in (0, 1, total // 2, total):
        yield Candidate(layers, 4096)
    yield Candidate(total, 8192, "q8_0", n_ubatch=256, parallel=4, n_outputs_max=4)
    yield Candidate(total, 2048, "q4_0")
    yield Candidate(total, 4096, tensor_split=(5, total - 5))
    yield Candidate(total - 3, 4096, tensor_split=(0, total - 3))
    if any("exps" in tensor.name for tensor in facts.tensors):
        override = TensorOverride(expert_pattern(range(facts.n_layers // 2, facts.n_layers)), "CPU")
        yield Candidate(total, 4096, tensor_overrides=(override,))
        yield Candidate(total, 4096, tensor_split=(9, total - 9), tensor_overrides=(override,))


@pytest.mark.parametrize("name", MODELS)
def test_formulas_equal_llama_cpps_layout(pronk: Pronk, helper: Helper, tmp_path: Path, name: str) -> None:
    facts = MODELS[name](tmp_path)
    for candidate in candidates(facts):
        devices = cards(*[24000 * MB] * max(1, len(candidate.tensor_split)))
        budgets = budgets_of(devices, None)
        exact = dry_run(helper, pronk.home, facts, candidate, tuple(gpu.id for gpu in budgets.gpus))
        guess = estimate(study(facts, budgets), candidate, budgets)
        for mine, theirs in ((guess.host, exact.host), *((guess.gpus[id_], use) for id_, use in exact.gpus.items())):
            assert (mine.weights_bytes, mine.kv_bytes) == (theirs.weights_bytes, theirs.kv_bytes), candidate
            assert mine.compute_bytes >= theirs.compute_bytes, candidate


def best_by_trying_everything(
    ask: Callable[[Candidate], Breakdown], budgets: Budgets, base: Candidate, total: int
) -> int:
    fitting = [
        layers
        for layers in range(total + 1)
        for n_ubatch in (512, 256)
        if not shortages(ask(replace(base, n_gpu_layers=layers, n_ubatch=n_ubatch)), budgets)
    ]
    return max(fitting)


@pytest.mark.parametrize("size_mb", [540, 610, 680])
def test_choice_is_the_best_of_all(pronk: Pronk, helper: Helper, size_mb: int) -> None:
    facts = read_facts(smollm2_gguf())
    devices = cards(size_mb * MB)
    plan = plan_model(pronk, facts, devices, PlanRequest(context=8192, kv_type="f16"))
    assert plan.method == "dry_run"
    ask = partial(_ask_one, helper, pronk.home, facts)
    budgets = budgets_of(devices, None)
    assert plan.n_gpu_layers == best_by_trying_everything(ask, budgets, Candidate(0, 8192), 31)
    assert not shortages(ask(candidate_of(plan)), budgets)


def _ask_one(helper: Helper, home: Home, facts: ModelFacts, candidate: Candidate) -> Breakdown:
    return dry_run(helper, home, facts, candidate, ("GPU0",))


@pytest.mark.parametrize("sizes", [(6000,), (12000,), (8000, 12000)])
@pytest.mark.parametrize("name", ["llama 8B", "qwen3 30B-A3B"])
def test_exact_plans_of_models_that_are_not_here(
    pronk: Pronk, tmp_path: Path, name: str, sizes: tuple[int, ...]
) -> None:
    facts = MODELS[name](tmp_path)
    plan = plan_model(pronk, facts, cards(*[size * MB for size in sizes]), PlanRequest())
    assert plan.method == "dry_run"
    assert plan.verdict in ("gpu", "partial")
    for device in (plan.host, *plan.devices):
        used = device.weights_bytes + device.kv_bytes + device.compute_bytes
        assert used <= device.free_bytes - device.reserve_bytes
    assert plan.elapsed_ms < 10_000


@pytest.mark.parametrize("name", ["llama 8B", "gemma3"])
def test_largest_context_is_found_within_256(pronk: Pronk, helper: Helper, tmp_path: Path, name: str) -> None:
    facts = MODELS[name](tmp_path)
    devices = cards((12000 if name == "llama 8B" else 830) * MB)
    request = PlanRequest(context="max", kv_type="f16")
    plan = plan_model(pronk, facts, devices, request)
    assert (plan.verdict, plan.method) == ("gpu", "dry_run")
    budgets = budgets_of(devices, None)
    for more, fits in ((0, True), (256, False)):
        candidate = replace(candidate_of(plan), tensor_split=(), context=plan.context + more)
        answers = [_ask_one(helper, pronk.home, facts, replace(candidate, n_ubatch=n)) for n in (512, 256)]
        assert any(not shortages(answer, budgets) for answer in answers) == fits


def test_model_that_llama_cpp_refuses_is_named(pronk: Pronk, tmp_path: Path) -> None:
    whole = dense(n_layers=2, trained=4096)
    broken = replace(whole, metadata={**whole.metadata, "llama.rope.dimension_count": 6})
    facts = replace(broken, path=str(write_hollow(broken, tmp_path / "broken.gguf")))
    with pytest.raises(UnsupportedModel, match=r"cannot load this model: invalid n_rot: 6, expected 128\."):
        plan_model(pronk, facts, cards(12000 * MB), PlanRequest())
