"""The plan panel's words that belong to no single widget."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication

from app.core.units import format_size
from app.gui.safe_text import one_line

if TYPE_CHECKING:
    from app.devices.values import Devices, Gpu
    from app.gui.plan.values import Source
    from app.plan.values import LoadPlan

_MAKER = re.compile(r"^(?:NVIDIA|AMD|Intel(?:\(R\))?|Apple)\s+(?:GeForce\s+)?(?=\S)")
SHORT_NAME = 28
SAME_BYTES = 10**6
"""A smaller difference between planned and measured is none to a person."""


def tr(text: str) -> str:
    """Return `text` in the window's language."""
    return QCoreApplication.translate("plan", text)


def verdict_line(plan: LoadPlan) -> str:
    """Return the verdict in one line."""
    from app.plan.words import verdict_sentence  # heavy: the window opens without it

    return verdict_sentence(plan)


def placement_line(plan: LoadPlan, devices: Devices | None) -> str:
    """Return the plan in one line: "28 of 33 layers on RTX 3060 · 8,192 context · KV q8_0"."""
    used = [device.id for device in plan.devices if device.weights_bytes]
    if used:
        gpu = _gpu(used[0], devices)
        cards = short_name(gpu.name if gpu is not None else used[0]) if len(used) == 1 else count_gpus(len(used))
        where = tr("{0} of {1} layers on {2}").format(plan.n_gpu_layers, plan.n_layers_total, cards)
    else:
        where = tr("All {0} layers on the processor").format(plan.n_layers_total)
    return f"{where} · {tr('{0} context').format(f'{plan.context:,}')} · {tr('KV {0}').format(plan.kv_type)}"


def source_line(plan: LoadPlan, source: Source, measured_bytes: int = 0) -> str:
    """Return whether the sizes are exact and, on a second line, the speeds that are foretold."""
    words = {
        "asking": tr("Estimate; asking llama.cpp itself…"),
        "exact": tr("Exact: the sizes are llama.cpp's own."),
        "estimate": tr("Estimate: the sizes are computed by formula."),
        "loaded": _loaded_words(plan, measured_bytes),
    }[source]
    return words if plan.verdict == "too_big" else f"{words}\n{speed_line(plan)}"


def _loaded_words(plan: LoadPlan, measured_bytes: int) -> str:
    if not measured_bytes:
        exact = plan.method == "dry_run"
        return tr("As loaded; the sizes are llama.cpp's own.") if exact else tr("As loaded; sizes by formula.")
    planned = sum(
        device.weights_bytes + device.kv_bytes + device.compute_bytes for device in (*plan.devices, plan.host)
    )
    if abs(measured_bytes - planned) < SAME_BYTES:
        return tr("As loaded; {0} measured, as planned.").format(format_size(measured_bytes))
    return tr("As loaded; {0} measured, {1} planned.").format(format_size(measured_bytes), format_size(planned))


def speed_line(plan: LoadPlan) -> str:
    """Return the foretold speeds in words."""
    from app.plan.words import round_speed  # heavy: the window opens without it

    speeds = (plan.expected.prefill_tokens_per_s, plan.expected.decode_tokens_per_s)
    return tr("About {0} tok/s reading, {1} writing.").format(*(round_speed(speed) for speed in speeds))


def alternative_words(plan: LoadPlan) -> str:
    """Return what another plan offers: "32,768 context at 18 tok/s"."""
    from app.plan.words import round_speed  # heavy: the window opens without it

    return tr("{0} context at {1} tok/s").format(f"{plan.context:,}", round_speed(plan.expected.decode_tokens_per_s))


def count_gpus(n: int) -> str:
    """Return "2 GPUs"."""
    return QCoreApplication.translate("plan", "%n GPUs", None, n)


def short_name(name: str) -> str:
    """Return a card's name for the middle of a sentence, without its maker: "RTX 3060"."""
    short = _MAKER.sub("", " ".join(name.split()))
    return one_line(short or name, SHORT_NAME)


def device_name(device_id: str, devices: Devices | None) -> str:
    """Return what a device is called: its name, behind its id where several have the same."""
    if device_id == "CPU":
        return tr("Main memory")
    gpus = devices.gpus if devices is not None else ()
    gpu = _gpu(device_id, devices)
    if gpu is None or not gpu.name:
        return device_id
    alone = sum(other.name == gpu.name for other in gpus) == 1
    return gpu.name if alone else f"{device_id} · {gpu.name}"


def device_total(device_id: str, total_bytes: int, devices: Devices | None) -> str:
    """Return a device's size: "12.6 GB", and that it is main memory's where it is."""
    gpu = _gpu(device_id, devices)
    size = format_size(total_bytes)
    return tr("{0} of main memory").format(size) if gpu is not None and gpu.integrated else size


def figures(plan: LoadPlan) -> list[tuple[str, str]]:
    """Return the settings that llama.cpp is given, each with its name in plain words."""
    rows = [
        (tr("Layers on GPUs"), f"{plan.n_gpu_layers} / {plan.n_layers_total}"),
        (tr("Context, in tokens"), f"{plan.context:,}"),
        (tr("Conversation (KV) stored as"), plan.kv_type),
        (tr("Tokens read at a time"), f"{plan.n_ubatch:,}"),
        (tr("Processor threads"), str(plan.n_threads)),
        (tr("Answers at a time"), str(plan.parallel)),
    ]
    if plan.tensor_overrides:
        rows.append((tr("Experts in main memory"), tr("yes")))
    return rows


def _gpu(device_id: str, devices: Devices | None) -> Gpu | None:
    gpus = devices.gpus if devices is not None else ()
    return next((gpu for gpu in gpus if gpu.id == device_id), None)
