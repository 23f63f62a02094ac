"""A plan's verdict in one line."""

from app.core.units import format_size
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
    if needed <= usable:
        return f"Does not fit this way: {_lacking(plan)}"
    return f"Too big for this computer: needs {format_size(needed)}, {format_size(usable)} can be used"


def _lacking(plan: LoadPlan) -> str:
    lacks = {
        "main memory" if device is plan.host else device.id: used_bytes(device) - _usable(device)
        for device in (*plan.devices, plan.host)
        if used_bytes(device) > _usable(device)
    }
    return ", ".join(f"{name} lacks {format_size(size)}" for name, size in lacks.items()) or "memory is too small"


def _usable(device: DevicePlan) -> int:
    return max(0, device.free_bytes - device.reserve_bytes)


def _needed_bytes(plan: LoadPlan) -> int:
    return sum(used_bytes(device) for device in (plan.host, *plan.devices))


def _usable_bytes(plan: LoadPlan) -> int:
    return sum(_usable(device) for device in (plan.host, *plan.devices))


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
    if plan.n_gpu_layers < plan.n_layers_total:
        return _layers(plan)
    return "some experts in main memory" if plan.tensor_overrides else _layers(plan)


def _layers(plan: LoadPlan) -> str:
    return f"{plan.n_gpu_layers} of {plan.n_layers_total} layers"


def round_speed(tokens_per_s: float) -> str:
    """Return a foretold speed with no more digits than it deserves: 0.8, 4.3, 45, 130."""
    if tokens_per_s < 10:
        return f"{tokens_per_s:.1f}"
    step = 1 if tokens_per_s < 100 else 10
    return f"{round(tokens_per_s / step) * step:,}"
