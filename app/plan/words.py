"""A plan in plain sentences, with bytes."""

from app.core.units import format_size
from app.plan.fit import shortages
from app.plan.kv import CONTEXT_STEP
from app.plan.search import Choice, Search
from app.plan.values import DevicePlan, LoadPlan


def verdict_sentence(plan: LoadPlan) -> str:
    """Return the verdict in one line: "Runs fully on your GPU · about 45 tok/s"."""
    speed = f"about {round_speed(plan.expected.decode_tokens_per_s)} tok/s"
    context = f"{plan.context:,} context"
    if plan.verdict == "gpu":
        return f"Runs fully on {_where(plan)} · {context} · {speed}"
    if plan.verdict == "partial":
        return f"Runs partly on {_where(plan)} ({_share(plan)}) · {context} · {speed}"
    if plan.verdict == "cpu":
        return f"Fits on your processor · {context} · {speed}"
    needed, usable = _needed_bytes(plan), _usable_bytes(plan)
    return f"Too big for this computer: needs {format_size(needed)}, {format_size(usable)} can be used"


def _needed_bytes(plan: LoadPlan) -> int:
    return sum(used_bytes(device) for device in (plan.host, *plan.devices))


def _usable_bytes(plan: LoadPlan) -> int:
    return sum(max(0, device.free_bytes - device.reserve_bytes) for device in (plan.host, *plan.devices))


def used_bytes(device: DevicePlan) -> int:
    """Return what a plan puts on a device."""
    return device.weights_bytes + device.kv_bytes + device.compute_bytes


def _used(plan: LoadPlan) -> list[DevicePlan]:
    return [device for device in plan.devices if device.weights_bytes]


def _where(plan: LoadPlan) -> str:
    used = _used(plan)
    if all(device.id.startswith("RPC") for device in used):
        return "a lent computer"
    return "your GPU" if len(used) == 1 else "your GPUs"


def _share(plan: LoadPlan) -> str:
    return "some experts in main memory" if plan.tensor_overrides else _layers(plan)


def _layers(plan: LoadPlan) -> str:
    return f"{plan.n_gpu_layers} of {plan.n_layers_total} layers"


def round_speed(tokens_per_s: float) -> str:
    """Return a foretold speed with no more digits than it deserves: 0.8, 4.3, 45, 130."""
    if tokens_per_s < 10:
        return f"{tokens_per_s:.1f}"
    step = 1 if tokens_per_s < 100 else 10
    return f"{round(tokens_per_s / step) * step:,}"


def explain(search: Search, choice: Choice, plan: LoadPlan, failure: str) -> tuple[str, ...]:
    """Return the reasons for a choice, most important first; `failure` is why there was no dry run."""
    sentences = [*_placement(plan), *_cache(search, plan), *_context(search, plan)]
    if choice.verdict == "too_big":
        sentences = [*_shortage(search, choice), *sentences]
    if failure:
        sentences.append(f"Sizes are computed by formula: {failure}")
    return tuple(sentences)


def _placement(plan: LoadPlan) -> list[str]:
    if not plan.devices:
        return [
            f"No GPU that this build can use: all {plan.n_layers_total} layers run on the processor.",
            f"Main memory: {_bytes(plan.host)}.",
        ]
    if not plan.n_gpu_layers:
        free = ", ".join(f"{device.id} has {format_size(device.free_bytes)} free" for device in plan.devices)
        return [
            f"All {plan.n_layers_total} layers run on the processor ({free}: too little to help).",
            f"Main memory: {_bytes(plan.host)}.",
        ]
    sentences = []
    for device in _used(plan):
        reserve = format_size(device.reserve_bytes)
        sentences.append(f"{device.id}: {format_size(device.free_bytes)} free − {reserve} reserve; {_bytes(device)}.")
    if plan.verdict == "gpu":
        return [f"All {plan.n_layers_total} layers fit.", *sentences]
    moved = " (without some layers' experts)" if plan.tensor_overrides else ""
    return [f"{_layers(plan)} on the GPU{moved}.", *sentences, f"Main memory: {_bytes(plan.host)}."]


def _bytes(device: DevicePlan) -> str:
    return (
        f"{format_size(device.weights_bytes)} weights + {format_size(device.kv_bytes)} KV + "
        f"{format_size(device.compute_bytes)} compute = {format_size(used_bytes(device))}"
    )


def _cache(search: Search, plan: LoadPlan) -> list[str]:
    if plan.kv_type == "f16" or search.request.kv_type != "auto" or plan.verdict == "too_big":
        return []
    return [
        f"KV is stored as {plan.kv_type} instead of f16: the room it saves makes the model run faster or fit at all."
    ]


def _context(search: Search, plan: LoadPlan) -> list[str]:
    trained = search.trained_context
    asked = search.request.context
    if isinstance(asked, int) and plan.context > max(trained, asked + CONTEXT_STEP - 1):
        return []
    if plan.context > trained and isinstance(asked, int) and asked > trained:
        return [f"The model was trained on {trained:,} tokens; beyond them its answers get worse."]
    if plan.context < trained:
        return [f"The context is {plan.context:,} of the {trained:,} tokens the model was trained on."]
    return []


def _shortage(search: Search, choice: Choice) -> list[str]:
    missing = shortages(search.knowledge.breakdown(choice.candidate), search.knowledge.budgets)
    host = search.knowledge.budgets.host
    return [
        f"{'Main memory' if id_ == host.id else id_} lacks {format_size(size)} "
        f"(at a context of {choice.candidate.context:,})."
        for id_, size in missing.items()
    ]
