"""From model, devices and wishes to a plan: search by formulas, ask the dry run, search again with what it taught."""

from dataclasses import replace
from typing import Literal

from app.devices.values import Devices
from app.library.facts import ModelFacts
from app.plan.budget import Budget, Budgets, budgets_of
from app.plan.fit import Knowledge
from app.plan.model import study
from app.plan.reasons import WORTHWHILE, explain
from app.plan.refine import Asking, hoped, refined, settled
from app.plan.request import check_request
from app.plan.search import Choice, Search
from app.plan.speed import expected_speed, throughputs_of
from app.plan.values import (
    NOTHING_LEARNED,
    Breakdown,
    Candidate,
    DevicePlan,
    DryRun,
    Learned,
    LoadPlan,
    PlanRequest,
    Use,
)

MAX_DRY_RUNS = 12
MORE_CONTEXT = 4
SLOWEST_ALTERNATIVE = 0.25
"""Of the plan's speed: slower than that no context is worth it."""


def make_plan(
    facts: ModelFacts,
    devices: Devices,
    request: PlanRequest,
    dry_run: DryRun | None = None,
    learned: Learned = NOTHING_LEARNED,
    *,
    alternatives: bool = True,
) -> LoadPlan:
    """Return the best way to load the model; verdict too_big, with reasons, when there is none.

    Without `dry_run`, or when it has no answer, the figures are the formulas' (method "analytic"). Raises BadRequest
    for wishes that contradict the model, and what the dry run raises for a model that llama.cpp does not load (BadFile,
    UnsupportedModel). alternatives: whether others worth choosing are looked for; a list of models shows none.
    elapsed_ms is left 0 for the caller, who has the clock.
    """
    check_request(request, facts)
    budgets = budgets_of(devices, request.reserve_bytes, learned.reserves)
    model = study(facts, budgets)
    search = Search(request, Knowledge(model, budgets), throughputs_of(devices, budgets, learned))
    asking = Asking(dry_run, MAX_DRY_RUNS if dry_run is not None else 0)
    search, choice = refined(search, asking)
    choice = hoped(search, settled(search, choice))
    plan = _load_plan(search, choice, devices)
    failure = asking.failure
    if alternatives:
        plan = replace(plan, alternatives=_alternatives(search, choice, devices, asking))
    return replace(plan, reasons=explain(search, choice, plan, devices, failure))


def _load_plan(search: Search, choice: Choice, devices: Devices) -> LoadPlan:
    candidate, budgets = choice.candidate, search.knowledge.budgets
    breakdown = search.knowledge.breakdown(candidate)
    measured = search.knowledge.measured.get(candidate)
    method: Literal["dry_run", "analytic"] = "dry_run" if measured is not None and measured.is_exact else "analytic"
    host = _device_plan(budgets.host, breakdown.host)
    gpus = tuple(_device_plan(gpu, breakdown.gpus.get(gpu.id, Use())) for gpu in budgets.gpus)
    if measured is None and choice.verdict != "too_big":
        host, gpus = _squeezed(host), tuple(_squeezed(gpu) for gpu in gpus)
    return LoadPlan(
        n_gpu_layers=candidate.n_gpu_layers,
        n_layers_total=search.model.n_layers_total,
        context=candidate.context,
        kv_type=candidate.kv_type,
        flash_attention=True,
        n_batch=candidate.n_ubatch,
        n_ubatch=candidate.n_ubatch,
        n_outputs_max=candidate.n_outputs_max,
        n_threads=search.speeds.n_threads,
        parallel=candidate.parallel,
        tensor_split=_split(candidate, budgets),
        tensor_overrides=candidate.tensor_overrides,
        verdict=choice.verdict,
        method=method,
        elapsed_ms=0.0,
        devices=gpus,
        host=host,
        expected=expected_speed(search.model, candidate, search.speeds),
    )


def _squeezed(device: DevicePlan) -> DevicePlan:
    """Return the device with no larger compute buffer than it has room for: by formulas that is only a bound."""
    room = device.free_bytes - device.reserve_bytes - device.weights_bytes - device.kv_bytes
    return replace(device, compute_bytes=min(device.compute_bytes, max(0, room)))


def _split(candidate: Candidate, budgets: Budgets) -> tuple[int, ...]:
    if candidate.tensor_split or not budgets.gpus:
        return candidate.tensor_split
    return (candidate.n_gpu_layers, *(0,) * (len(budgets.gpus) - 1))


def _device_plan(budget: Budget, use: Use) -> DevicePlan:
    return DevicePlan(
        budget.id,
        budget.total_bytes,
        budget.free_bytes,
        budget.reserve_bytes,
        use.weights_bytes,
        use.kv_bytes,
        use.compute_bytes,
    )


def _alternatives(search: Search, choice: Choice, devices: Devices, asking: Asking) -> tuple[LoadPlan, ...]:
    """Return up to two other plans worth choosing: much more context at less speed, more speed at less context.

    For a model that is too big at the context wished for: the least context, if that fits. Their bytes come from the
    dry run as far as its budget goes; each plan's method says so.
    """
    if search.request.gpu_layers is not None:
        return ()
    trained, least, too_big = search.trained_context, search.least_context, choice.verdict == "too_big"
    less: list[LoadPlan] = []
    if choice.verdict != "gpu" and choice.candidate.context > least:
        search, other = refined(search, asking, lambda search: search.at(least))
        if other.verdict != "too_big" and (too_big or _gains(search, choice, other)):
            less.append(_load_plan(search, other, devices))
    if choice.candidate.context >= trained or too_big:
        return tuple(less)
    larger = min(trained, choice.candidate.context * MORE_CONTEXT)
    search, other = refined(search, asking, lambda search: search.at(larger))
    is_usable = _speed(search, other) >= SLOWEST_ALTERNATIVE * _speed(search, choice)
    more = [_load_plan(search, other, devices)] if other.verdict != "too_big" and is_usable else []
    return (*more, *less)


def _gains(search: Search, choice: Choice, other: Choice) -> bool:
    """Tell whether another choice is much faster, in the whole task or in writing alone."""
    faster = _speed(search, other) > WORTHWHILE * _speed(search, choice)
    return faster or choice.cost_s > WORTHWHILE * other.cost_s


def _speed(search: Search, choice: Choice) -> float:
    return expected_speed(search.model, choice.candidate, search.speeds).decode_tokens_per_s


def candidate_of(plan: LoadPlan) -> Candidate:
    """Return the candidate that a plan loads."""
    return Candidate(
        plan.n_gpu_layers,
        plan.context,
        plan.kv_type,
        plan.n_ubatch,
        plan.parallel,
        plan.n_outputs_max,
        plan.tensor_split,
        plan.tensor_overrides,
    )


def breakdown_of(plan: LoadPlan) -> Breakdown:
    """Return the bytes that a plan foretells."""
    return Breakdown(_use(plan.host), {device.id: _use(device) for device in plan.devices})


def _use(device: DevicePlan) -> Use:
    return Use(device.weights_bytes, device.kv_bytes, device.compute_bytes)
