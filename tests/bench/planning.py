"""How long a plan takes: by formulas for many quants, and by dry runs; all models are headers, all cards are not here.

What llama-fit-params would take for the same: 0.28 s a check and 1.15 s for Qwen3 30B-A3B by its README, 10 s for
DeepSeek R1 on six GPUs (llama.cpp #16653); on skeletons like these 0.03 to 3.9 s were measured.
"""

import gc
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from app.core.paths import Home
from app.devices.values import Devices, Gpu
from app.library.facts import ModelFacts
from app.library.facts_reader import read_facts
from app.plan.planner import make_plan
from app.plan.values import Breakdown, Candidate, PlanRequest
from tests.bench.figures import Figure
from tests.support.machines import machine
from tests.support.skeleton_models import skeleton_models
from tests.support.skeletons import SimulatedCards, simulated_cards, write_skeleton

QUANTS = ("Q2_K", "Q3_K_M", "Q4_K_S", "Q4_K_M", "Q5_K_M", "Q6_K", "Q8_0", "IQ4_XS")
N_QUANTS = 100
ROUNDS = 3
CARDS = ((8,), (12,), (24,), (12, 24))
PEER = "; llama-fit-params 280–1,150"


def planning() -> list[Figure]:
    """Milliseconds of analytic plans, full plans and single dry runs."""
    with tempfile.TemporaryDirectory(prefix="pronk-bench-") as name:
        folder = Path(name)
        paths = _quants(folder)
        home = Home(folder / "home").prepare()
        with simulated_cards(home) as ask:
            plans, dry_runs, counts = _full_plans([read_facts(path) for path in paths[: len(skeleton_models())]], ask)
        return [
            *_analytic(paths),
            Figure("full plan, p95" + PEER, "ms", (_p95(plans),), at_most=600),
            Figure("full plan", "ms", tuple(plans)),
            Figure("dry run, p95", "ms", (_p95(dry_runs),), at_most=50),
            Figure("dry runs for a plan", "", tuple(counts), at_most=12),
        ]


def _quants(folder: Path) -> list[Path]:
    """Write a hundred quants of 25 models; the first 25 are one of each."""
    made = []
    for number in range(N_QUANTS):
        models = skeleton_models()
        model, quant = models[number % len(models)], QUANTS[(number // len(models)) % len(QUANTS)]
        inside = folder / f"{number}"
        inside.mkdir()
        made.append(Path(write_skeleton(model, inside, quant).path))
    return made


def _analytic(paths: list[Path]) -> list[Figure]:
    """Plan each quant twice from its header, as seen the first time and again as a slider does; the best of rounds."""
    whole, listed = _best_round(paths, alternatives=True), _best_round(paths, alternatives=False)
    return [
        Figure("analytic plan of a new quant, p95", "ms", (_p95(whole[0]),), at_most=5),
        Figure("analytic plan of a known quant, p95", "ms", (_p95(whole[1]),), at_most=5),
        Figure(f"a list of {N_QUANTS} known quants", "ms", (sum(listed[1]),), at_most=100),
        Figure(f"a list of {N_QUANTS} new quants", "ms", (sum(listed[0]),), at_most=100),
    ]


def _best_round(paths: list[Path], alternatives: bool) -> tuple[list[float], list[float]]:
    """Return the milliseconds of each first and each second plan, of the round that took the least."""
    rounds = [_planned_twice([read_facts(path) for path in paths], alternatives) for _ in range(ROUNDS)]
    first, again = (min(times, key=sum) for times in zip(*rounds, strict=True))
    return first, again


def _planned_twice(facts: list[ModelFacts], alternatives: bool) -> tuple[list[float], list[float]]:
    """Return the milliseconds of each first and each second plan."""
    gc.collect()
    gc.freeze()  # a hundred headers at a time are the bench's own, not the plan's, to be looked through for garbage
    try:
        first = [_plan_ms(each, _cards(12), alternatives) for each in facts]
        return first, [_plan_ms(each, _cards(12), alternatives) for each in facts]
    finally:
        gc.unfreeze()


def _plan_ms(facts: ModelFacts, devices: Devices, alternatives: bool) -> float:
    """Return the processor's milliseconds: a plan by formulas waits for nothing, other programs do not count."""
    start = time.process_time()
    make_plan(facts, devices, PlanRequest(), alternatives=alternatives)
    return (time.process_time() - start) * 1000


def _full_plans(models: list[ModelFacts], ask: SimulatedCards) -> tuple[list[float], list[float], list[float]]:
    """Plan every model on every set of cards; returns milliseconds of plans, of dry runs, and how many of these."""
    plans: list[float] = []
    dry_runs: list[float] = []
    counts: list[float] = []

    def timed(facts: ModelFacts, candidate: Candidate, gpus: tuple[str, ...]) -> Breakdown:
        ask.known.clear()
        start = time.perf_counter()
        answer = ask(facts, candidate, gpus)
        dry_runs.append((time.perf_counter() - start) * 1000)
        return answer

    for facts in models:
        ask(facts, Candidate(0, 4096), ("GPU0",))  # the header is cached: its skeleton is there
        for gib in CARDS:
            before, start = len(dry_runs), time.perf_counter()
            make_plan(facts, _cards(*gib), PlanRequest(), timed)
            plans.append((time.perf_counter() - start) * 1000)
            counts.append(float(len(dry_runs) - before))
    return plans, dry_runs, counts


def _cards(*gib: int) -> Devices:
    gpus = tuple(Gpu(f"GPU{i}", "RTX 3060", "cuda", size << 30, size << 30) for i, size in enumerate(gib))
    return replace(machine(ram_gb=64), gpus=gpus, simulated=True)


def _p95(values: list[float]) -> float:
    return sorted(values)[int(0.95 * (len(values) - 1))]
