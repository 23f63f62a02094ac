"""How a model would be loaded here: at once by formulas, exactly by llama.cpp's dry run in the helper."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from app.actions.context import Pronk
from app.actions.devices import probe_with, simulated_gpu
from app.actions.learned import what_was_learned
from app.core.errors import BadFile, BadRequest, NotEnoughMemory
from app.core.json_text import parse_json
from app.devices.values import Devices, Gpu
from app.jobs.helper import Helper
from app.library.facts import ModelFacts
from app.plan.budget import Budgets, budgets_of
from app.plan.estimate import estimate, with_compute_of
from app.plan.json import plan_from_document
from app.plan.model import study
from app.plan.planner import make_plan
from app.plan.values import (
    NOTHING_LEARNED,
    Breakdown,
    Candidate,
    DryRun,
    Learned,
    LoadPlan,
    PlanRequest,
    Use,
    used_gpus,
)
from app.plan.words import verdict_sentence

# The first one starts the child and writes the skeleton; later ones take tens of milliseconds.
DRY_RUN_TIMEOUT_S = 60.0


def quick_plan(
    facts: ModelFacts,
    devices: Devices,
    request: PlanRequest | None = None,
    learned: Learned = NOTHING_LEARNED,
    *,
    alternatives: bool = True,
) -> LoadPlan:
    """Return the plan by formulas, in this process and in milliseconds.

    learned: as what_was_learned gives it. alternatives: False for a list of models, which shows none.
    """
    start = time.perf_counter()
    plan = make_plan(facts, devices, request or PlanRequest(), None, learned, alternatives=alternatives)
    return replace(plan, elapsed_ms=(time.perf_counter() - start) * 1000)


def plan_model(
    pronk: Pronk,
    facts: ModelFacts,
    devices: Devices,
    request: PlanRequest | None = None,
    rpc: tuple[str, ...] = (),
) -> LoadPlan:
    """Return the plan with exact bytes, from llama.cpp's dry run; by formulas where that has no answer.

    rpc: the computers that `devices` was found with.
    """
    with _helper(pronk, rpc, devices.gpus if devices.simulated else ()) as helper:
        learned = what_was_learned(pronk, facts, devices)
        return _timed(facts, devices, request or PlanRequest(), _dry_run(helper, pronk, devices), learned)


def plan_here(
    pronk: Pronk,
    facts: ModelFacts,
    request: PlanRequest,
    simulated_gpus: tuple[tuple[str, int], ...] = (),
    ram_bytes: int | None = None,
    rpc: tuple[str, ...] = (),
    *,
    measuring: Callable[[], None] | None = None,
) -> tuple[Devices, LoadPlan]:
    """Find the devices and plan on them, with one helper for both; `measuring` as what_was_learned takes it."""
    cards = tuple(simulated_gpu(index, *card) for index, card in enumerate(simulated_gpus))
    with _helper(pronk, rpc, cards) as helper:
        devices = probe_with(helper, pronk, simulated_gpus, ram_bytes)
        measuring = None if devices.simulated else measuring
        learned = what_was_learned(pronk, facts, devices, measuring=measuring, rpc=rpc)
        return devices, _timed(facts, devices, request, _dry_run(helper, pronk, devices), learned)


def require_room(plan: LoadPlan, facts: ModelFacts, force: bool) -> None:
    """Raise NotEnoughMemory when a plan is too big, unless the user said to load anyway."""
    if plan.verdict == "too_big" and not force:
        raise NotEnoughMemory(
            f"Cannot load {Path(facts.path).stem}: {verdict_sentence(plan)}. {' '.join(plan.reasons[:1])}".strip(),
            hint="Close other programs, choose a smaller model or context, or load it anyway with --force.",
        )


def read_plan(source: str) -> LoadPlan:
    """Return the plan in a file, or on stdin for "-"; raises BadFile or BadRequest when there is none."""
    try:
        text = sys.stdin.read() if source == "-" else Path(source).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise BadFile(f"{source} is no plan: it is not text.", hint="Make one: pronk plan MODEL --json") from error
    except OSError as error:
        why = error.strerror or str(error)
        raise BadFile(f"Cannot read the plan {source}: {why}.", hint="Make one: pronk plan MODEL --json") from error
    try:
        document = parse_json(text)
    except ValueError as error:
        raise BadRequest(f"{source} is no JSON ({error}).", hint="Make one: pronk plan MODEL --json") from error
    if not isinstance(document, dict):
        raise BadRequest(f"{source} holds no plan.", hint="Make one: pronk plan MODEL --json")
    return plan_from_document(document)


@contextmanager
def _helper(pronk: Pronk, rpc: tuple[str, ...], simulated: tuple[Gpu, ...]) -> Iterator[Helper]:
    """Yield the resident helper, or one of its own for devices that are elsewhere or nowhere."""
    if not rpc and not simulated:
        yield pronk.helper
        return
    words = [word for endpoint in rpc for word in ("--rpc", endpoint)]
    if simulated:
        words += ["--simulate", json.dumps([[gpu.id, gpu.name, gpu.total_bytes] for gpu in simulated])]
    helper = pronk.helper_for(*words)
    try:
        yield helper
    finally:
        helper.close()


def _timed(
    facts: ModelFacts, devices: Devices, request: PlanRequest, dry_run: DryRun | None, learned: Learned
) -> LoadPlan:
    start = time.perf_counter()
    plan = make_plan(facts, devices, request, dry_run, learned)
    return replace(plan, elapsed_ms=(time.perf_counter() - start) * 1000)


def _dry_run(helper: Helper, pronk: Pronk, devices: Devices) -> DryRun:
    skeletons = str(pronk.home.cache / "skeletons")
    budgets = budgets_of(devices, None)

    def ask(facts: ModelFacts, candidate: Candidate, gpus: tuple[str, ...]) -> Breakdown:
        gpus, split = used_gpus(gpus, candidate.tensor_split)
        candidate = replace(candidate, tensor_split=split)
        answer = helper.ask(
            "dry_run",
            DRY_RUN_TIMEOUT_S,
            model=facts.path,
            skeletons=skeletons,
            gpus=list(gpus),
            candidate=asdict(candidate),
        )
        told = Breakdown(_use(answer["host"]), {id_: _use(use) for id_, use in answer["gpus"].items()})
        if not answer["fault"]:
            return told
        used = Budgets(budgets.host, tuple(gpu for gpu in budgets.gpus if gpu.id in gpus))
        return with_compute_of(told, estimate(study(facts, used), candidate, used))

    return ask


def _use(fields: dict[str, Any]) -> Use:
    return Use(**{name: int(value) for name, value in fields.items()})
