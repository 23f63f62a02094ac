"""Why a plan is as it is: sentences with the bytes that decided."""

from collections.abc import Sequence
from dataclasses import replace

from app.core.units import format_size
from app.devices.values import TYPICAL_BANDWIDTH_BYTES_PER_S, Devices
from app.plan.arithmetic import subtraction
from app.plan.cards import assumed_bandwidth, known_bandwidth
from app.plan.fit import shortages
from app.plan.kv import CONTEXT_STEP
from app.plan.placing import NO_PIPELINE
from app.plan.search import CONTEXTS, Choice, Search
from app.plan.values import Breakdown, Candidate, LoadPlan, Use
from app.plan.words import round_speed

WORTHWHILE = 1.25
"""What another plan must win in speed to be worth a word."""


def explain(search: Search, choice: Choice, plan: LoadPlan, devices: Devices, failure: str) -> tuple[str, ...]:
    """Return the reasons for a choice, most important first; `failure` is why there was no dry run."""
    sentences = [
        *(_shortage(search, choice) if choice.verdict == "too_big" else ()),
        *_placement(search, choice, plan),
        *_subtractions(plan, devices),
        *_no_more(search, choice),
        *_experts(search, plan),
        *_cache(search, choice),
        *_pieces(search, choice),
        *_context(search, plan),
        *_source(search, choice, devices, failure),
    ]
    return tuple(sentences)


def layers_of(plan: LoadPlan) -> str:
    """Return "28 of 33 layers"."""
    return f"{plan.n_gpu_layers} of {plan.n_layers_total} layers"


def _shortage(search: Search, choice: Choice) -> list[str]:
    missing = shortages(search.knowledge.breakdown(choice.candidate), search.knowledge.budgets)
    host = search.knowledge.budgets.host
    return [
        f"{'Main memory' if id_ == host.id else id_} lacks {format_size(size)} "
        f"(at a context of {choice.candidate.context:,})."
        for id_, size in missing.items()
    ]


def _placement(search: Search, choice: Choice, plan: LoadPlan) -> list[str]:
    total, asked = plan.n_layers_total, search.request.gpu_layers
    if not plan.devices:
        return [f"No GPU that this build can use: all {total} layers run on the processor."]
    if not plan.n_gpu_layers:
        each = (_why_unused(search, choice, index) for index in range(len(plan.devices)))
        return [f"All {total} layers run on the processor ({'as asked for' if asked == 0 else '; '.join(each)})."]
    ids = listed([device.id for device, share in zip(plan.devices, plan.tensor_split, strict=False) if share])
    layers = f"all {total} layers" if plan.n_gpu_layers == total else layers_of(plan)
    if plan.verdict == "too_big" and asked is not None:
        return [f"As asked for, {layers} would lie on {ids}."]
    if plan.verdict == "too_big":
        return [f"The nearest to a fit has {layers} on {ids}; a forced load takes it."]
    if plan.n_gpu_layers == total:
        return [f"All {total} layers fit on {ids}."]
    return [f"{layers} fit on {ids}; the others run on the processor."]


def _why_unused(search: Search, choice: Choice, index: int) -> str:
    """Return why a GPU gets no layers: it has no room, the reserve takes it, or it is no faster."""
    budget, knowledge = search.knowledge.budgets.gpus[index], search.knowledge
    one = choice.candidate.placed(tuple(int(i == index) for i in range(len(knowledge.budgets.gpus))), ())
    needed = knowledge.breakdown(one).gpus.get(budget.id, Use()).total_bytes
    if needed <= budget.usable_bytes and choice.verdict != "too_big":
        is_remote = budget.backend == "rpc"
        return f"{budget.id} {'is slower than this computer' if is_remote else 'would make it no faster'}"
    has = f"{budget.id} has {format_size(budget.free_bytes)} free"
    if budget.usable_bytes < needed <= budget.free_bytes:
        has += f", less a reserve of {format_size(budget.reserve_bytes)}"
    return f"{has}: too little to help"


def listed(names: Sequence[str]) -> str:
    """Return "GPU0", "GPU0 and GPU1" or "GPU0, GPU1 and GPU2"."""
    return " and ".join(part for part in (", ".join(names[:-1]), *names[-1:]) if part)


def _subtractions(plan: LoadPlan, devices: Devices) -> list[str]:
    gpus = {gpu.id: gpu for gpu in devices.gpus}
    sentences = []
    for device, share in zip(plan.devices, plan.tensor_split, strict=False):
        if share:
            others = gpus[device.id].used_by_others_bytes
            sentences.append(f"{device.id} ({gpus[device.id].name}): {subtraction(device, others)}.")
            sentences += [f"{format_size(others)} of it is used by other programs."] if others else []
    used = plan.host.weights_bytes + plan.host.kv_bytes + plan.host.compute_bytes
    return [*sentences, f"Main memory: {subtraction(plan.host)}."] if used else sentences


def _no_more(search: Search, choice: Choice) -> list[str]:
    """Say what one more layer would need, where not all are on GPUs."""
    candidate, total = choice.candidate, search.model.n_layers_total
    if not 0 < candidate.n_gpu_layers < total or search.request.gpu_layers is not None:
        return []
    budgets, now = search.knowledge.budgets.gpus, search.knowledge.breakdown(choice.candidate)
    needs: list[tuple[int, str]] = []
    for index, (budget, share) in enumerate(zip(budgets, candidate.tensor_split, strict=False)):
        if share:
            split = tuple(n + (i == index) for i, n in enumerate(candidate.tensor_split))
            more = replace(candidate, n_gpu_layers=candidate.n_gpu_layers + 1, tensor_split=split)
            after = search.knowledge.breakdown(more).gpus.get(budget.id, Use()).total_bytes
            before = now.gpus.get(budget.id, Use()).total_bytes
            left = budget.usable_bytes - before
            if after - before > left >= 0:
                sentence = (
                    f"One more layer would take {_size(after - before)} of {budget.id}, which has {_size(left)} left"
                )
                needs.append((after - before - left, sentence))
    return [f"{min(needs)[1]}."] if needs else []


def _size(size_bytes: int) -> str:
    return format_size(max(0, size_bytes))


def _experts(search: Search, plan: LoadPlan) -> list[str]:
    model = search.model
    moved = [
        layer for override in plan.tensor_overrides if override != NO_PIPELINE for layer in model.moved_layers(override)
    ]
    if plan.tensor_overrides == (NO_PIPELINE,):
        return ["The GPUs work one after the other: as a pipeline they would keep four copies of every input."]
    if not moved:
        return []
    size_bytes = sum(model.host.experts[layer] for layer in moved)
    having = sum(1 for experts in model.host.experts if experts)
    return [
        f"The experts of {len(moved)} of {having} layers ({format_size(size_bytes)}) lie in main memory: "
        "a token uses few of them, and attention and KV gain more from the GPU."
    ]


def _without(search: Search, candidate: Candidate) -> int:
    """Return the bytes that another candidate lacks."""
    return sum(shortages(search.knowledge.breakdown(candidate), search.knowledge.budgets).values())


def _cache(search: Search, choice: Choice) -> list[str]:
    candidate = choice.candidate
    if candidate.kv_type == "f16" or search.request.kv_type != "auto" or choice.verdict == "too_big":
        return []
    full = replace(candidate, kv_type="f16")
    breakdowns = [search.knowledge.breakdown(each) for each in (full, candidate)]
    more = _kv_bytes(breakdowns[0]) - _kv_bytes(breakdowns[1])
    missing = _without(search, full)
    lacking = f", and {format_size(missing)} would be missing" if missing else ""
    return [f"KV is stored as {candidate.kv_type}: as f16 it would take {_size(more)} more{lacking}."]


def _kv_bytes(breakdown: Breakdown) -> int:
    return breakdown.host.kv_bytes + sum(use.kv_bytes for use in breakdown.gpus.values())


def _pieces(search: Search, choice: Choice) -> list[str]:
    candidate = choice.candidate
    if candidate.n_ubatch == search.speeds.n_ubatch or choice.verdict == "too_big":
        return []
    missing = _without(search, replace(candidate, n_ubatch=search.speeds.n_ubatch))
    lacking = f" {format_size(missing)} would be missing" if missing else " more memory would be needed"
    return [f"Prompts are read in pieces of {candidate.n_ubatch} tokens: with {search.speeds.n_ubatch}{lacking}."]


def _context(search: Search, plan: LoadPlan) -> list[str]:
    trained, asked = search.trained_context, search.request.context
    if isinstance(asked, int):
        sentences = [f"A context has whole blocks of {CONTEXT_STEP} tokens: for {asked:,} it is {plan.context:,}."]
        sentences = sentences if plan.context != asked else []
        if plan.context > trained and asked > trained:
            worse = f"The model was trained on {trained:,} tokens; beyond them its answers get worse."
            return [*sentences, worse]
    else:
        sentences = _less_context(plan)
    if plan.context >= trained - trained % CONTEXT_STEP:
        return sentences
    sentence = f"The context is {plan.context:,} of the {trained:,} tokens the model was trained on"
    return [f"{sentence}{_no_more_context(search, plan)}.", *sentences]


def _no_more_context(search: Search, plan: LoadPlan) -> str:
    """Return what kept the context from being larger; one that was asked for is just that."""
    if isinstance(search.request.context, int) or plan.verdict == "too_big":
        return ""
    usual = min(context for context in (*CONTEXTS, search.trained_context) if context > plan.context)
    more = "more" if search.request.context == "max" else f"the next usual size, {usual:,},"
    where = f" fully on the {'GPU' if len(plan.devices) == 1 else 'GPUs'}" if plan.verdict == "gpu" else ""
    return f": {more} would not fit{where}"


def _less_context(plan: LoadPlan) -> list[str]:
    """Say what a smaller context would gain, where it gains much."""
    now = plan.expected.decode_tokens_per_s
    return [
        f"With a context of {other.context:,} it would write about "
        f"{round_speed(other.expected.decode_tokens_per_s)} tok/s instead of {round_speed(now)}."
        for other in plan.alternatives
        if other.context < plan.context and other.expected.decode_tokens_per_s > WORTHWHILE * now
        if plan.verdict != "too_big"
    ]


def _source(search: Search, choice: Choice, devices: Devices, failure: str) -> list[str]:
    sentences = []
    measured = search.knowledge.measured.get(choice.candidate)
    if measured is not None and not measured.is_exact:
        sentences.append("Compute sizes come from llama.cpp's log, weights and KV from formulas.")
    if failure:
        sentences.append(f"Sizes are computed by formula: {failure}")
    return [*sentences, *_made_up(devices)]


def _made_up(devices: Devices) -> list[str]:
    """Say what the speed of a computer that is not here is guessed from."""
    if not devices.simulated:
        return []
    sentences = ["Speeds of cards that are not here are those that such cards typically have."]
    unknown: dict[float, list[str]] = {}
    for gpu in devices.gpus:
        if known_bandwidth(gpu.name) is None:
            unknown.setdefault(assumed_bandwidth(gpu), []).append(gpu.name)
    for bandwidth, names in unknown.items():
        sentences.append(f"Nothing is known of {listed(names)}: {format_size(bandwidth)} a second is assumed.")
    if devices.memory.bandwidth_bytes_per_s == TYPICAL_BANDWIDTH_BYTES_PER_S:
        speed = format_size(TYPICAL_BANDWIDTH_BYTES_PER_S)
        sentences.append(f"Main memory is taken to read {speed} a second, the processor to be the one here.")
    return sentences
