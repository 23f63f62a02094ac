"""Foretold against measured, byte for byte: real loads by the engine's own parameters, here and on lent memory."""

import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path

import pytest

from app.actions.context import Pronk
from app.actions.devices import find_devices
from app.actions.plan import plan_model
from app.core.paths import Home
from app.jobs.process import start_process
from app.library.facts_reader import read_facts
from app.plan.budget import budgets_of
from app.plan.estimate import estimate
from app.plan.model import study
from app.plan.planner import candidate_of
from app.plan.values import Breakdown, Candidate, PlanRequest, Use
from tests.support.counts import counted
from tests.support.models import gemma3_gguf, smollm2_gguf
from tests.support.real_load import real_loads
from tests.support.waiting import wait_until

pytestmark = pytest.mark.native

MODELS = pytest.mark.parametrize("find_model", [smollm2_gguf, gemma3_gguf], ids=["smollm2", "gemma3"])
MIB = 2**20
MOST_COMPUTE_ERROR = 5 * MIB
"""On several devices llama.cpp's pipeline takes a little less than its dry run says."""

HOST_CANDIDATES = [
    Candidate(0, 2048),
    Candidate(0, 1000, "q8_0"),
    Candidate(0, 4096, n_ubatch=256, parallel=4, n_outputs_max=4),
    Candidate(0, 4096, "q4_0"),
    Candidate(0, 2048, n_ubatch=256, n_outputs_max=256),  # every token's logits: perplexity, log-probabilities
    Candidate(0, 4096, "q8_0", parallel=2, n_outputs_max=2 * (1 + 8)),  # a draft of eight tokens
]


@pytest.fixture
def pronk(home: Home) -> Iterator[Pronk]:
    context = Pronk(home)
    yield context
    context.close()


@contextmanager
def lending(log: Path) -> Iterator[str]:
    """Run a second process that lends its memory over llama.cpp's RPC on the loopback; yields HOST:PORT."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = start_process([sys.executable, "-m", "tests.support.rpc_server", str(port)], log)
    try:
        wait_until(lambda: _listens(port), 20, "the RPC server")
        yield f"127.0.0.1:{port}"
    finally:
        process.kill()
        process.communicate()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module")
def lenders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, ...]]:
    """Two other computers."""
    folder = tmp_path_factory.mktemp("rpc")
    with ExitStack() as stack:
        yield tuple(stack.enter_context(lending(folder / f"{number}.log")) for number in range(2))


def measured(model: Path, candidates: list[Candidate], lenders: tuple[str, ...] = ()) -> list[Breakdown]:
    gpus = [f"RPC{number}" for number in range(len(lenders))]
    answers = real_loads(
        {"model": str(model), "rpc": lenders, "gpus": gpus, "candidates": [asdict(c) for c in candidates]}
    )
    return [
        Breakdown(Use(**answer["host"]), {id_: Use(**use) for id_, use in answer["gpus"].items()}) for answer in answers
    ]


def foretold(pronk: Pronk, model: Path, candidates: list[Candidate], lenders: tuple[str, ...] = ()) -> list[Breakdown]:
    helper = pronk.helper_for(*(word for lender in lenders for word in ("--rpc", lender)))
    gpus = [f"RPC{number}" for number in range(len(lenders))]
    skeletons = str(pronk.home.cache / "skeletons")
    try:
        answers = [
            helper.ask("dry_run", 60, model=str(model), skeletons=skeletons, gpus=gpus, candidate=asdict(candidate))
            for candidate in candidates
        ]
    finally:
        helper.close()
    return [
        Breakdown(Use(**answer["host"]), {id_: Use(**use) for id_, use in answer["gpus"].items()}) for answer in answers
    ]


@MODELS
def test_on_the_processor(pronk: Pronk, find_model: Callable[[], Path]) -> None:
    model = find_model()
    assert foretold(pronk, model, HOST_CANDIDATES) == measured(model, HOST_CANDIDATES)


@MODELS
def test_on_one_device(pronk: Pronk, lenders: tuple[str, ...], find_model: Callable[[], Path]) -> None:
    model = find_model()
    facts = read_facts(model)
    total = facts.n_layers + 1
    candidates = [
        Candidate(total, 4096),
        Candidate(total - 7, 2048, "q8_0", n_ubatch=256, parallel=2, n_outputs_max=2),
        Candidate(1, 2048),
    ][: counted(20)]
    real = measured(model, candidates, lenders[:1])
    assert foretold(pronk, model, candidates, lenders[:1]) == real
    budgets = budgets_of(find_devices(pronk, rpc=lenders[:1]), None)
    for candidate, load in zip(candidates, real, strict=True):
        assert _fixed(estimate(study(facts, budgets), candidate, budgets)) == _fixed(load)


@MODELS
def test_on_two_devices(pronk: Pronk, lenders: tuple[str, ...], find_model: Callable[[], Path]) -> None:
    model = find_model()
    total = read_facts(model).n_layers + 1
    candidates = [
        Candidate(total, 4096, tensor_split=(8, total - 8)),  # as a pipeline
        Candidate(total - 3, 4096, "q8_0", tensor_split=(5, total - 8)),
        Candidate(total, 2048, n_ubatch=256, parallel=4, n_outputs_max=4, tensor_split=(total - 4, 4)),
    ][: counted(20)]
    for guess, load in zip(
        foretold(pronk, model, candidates, lenders), measured(model, candidates, lenders), strict=True
    ):
        assert _fixed(guess) == _fixed(load)
        for mine, theirs in zip(_compute(guess), _compute(load), strict=True):
            assert 0 <= mine - theirs <= MOST_COMPUTE_ERROR


def _fixed(breakdown: Breakdown) -> list[tuple[int, int]]:
    return [(use.weights_bytes, use.kv_bytes) for use in (breakdown.host, *breakdown.gpus.values())]


def _compute(breakdown: Breakdown) -> list[int]:
    return [use.compute_bytes for use in (breakdown.host, *breakdown.gpus.values())]


def test_plans_are_what_loads_take(pronk: Pronk, lenders: tuple[str, ...]) -> None:
    model = smollm2_gguf()
    facts = read_facts(model)
    devices = find_devices(pronk, rpc=lenders[:1])
    assert [(gpu.id, gpu.backend, gpu.name) for gpu in devices.gpus] == [("RPC0", "rpc", lenders[0])]
    plans = [
        plan_model(pronk, facts, devices, PlanRequest(context=4096, gpu_layers=layers), rpc=lenders[:1])
        for layers in (31, 12)
    ]
    assert [plan.verdict for plan in plans] == ["gpu", "partial"]
    for plan, load in zip(plans, measured(model, [candidate_of(p) for p in plans], lenders[:1]), strict=True):
        assert plan.method == "dry_run"
        for planned, use in ((plan.host, load.host), (plan.devices[0], load.gpus["RPC0"])):
            assert (planned.weights_bytes, planned.kv_bytes, planned.compute_bytes) == (
                use.weights_bytes,
                use.kv_bytes,
                use.compute_bytes,
            )
