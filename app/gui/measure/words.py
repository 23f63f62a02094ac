"""What is said while and after this computer is measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QCoreApplication

from app.core.units import format_duration, format_size
from app.gui.plan.words import device_name

if TYPE_CHECKING:
    from app.devices.values import Devices

HOST = "CPU"
MOST_OTHERS = 0.1
LEAST_GAIN, MOST_GAIN = 1.01, 4.0
"""Less is not worth a word, and more is no tuning: something else took the processor meanwhile."""
BILLION = 10**9


@dataclass(frozen=True)
class Typical:
    """A model of a usual size, in a usual type."""

    billions: int
    type: str
    bits_per_weight: float
    n_layers: int

    @property
    def size_bytes(self) -> float:
        """What its weights take."""
        return self.billions * BILLION * self.bits_per_weight / 8


TYPICAL = (Typical(1, "Q4_K", 4.5, 16), Typical(8, "Q4_K", 4.5, 32), Typical(8, "Q8_0", 8.5, 32))


def tr(text: str) -> str:
    """Return `text` in the window's language."""
    return QCoreApplication.translate("measure", text)


def share_of(event: Mapping[str, Any]) -> float:
    """Return how much is done by a progress event, 0 to 1; 0 when it does not say."""
    done = event.get("done_bytes", event.get("done")) or 0
    total = event.get("total_bytes", event.get("total")) or 0
    return min(1.0, max(0.0, float(done) / float(total))) if total else 0.0


def phase_words(event: Mapping[str, Any], devices: Devices | None) -> str:
    """Return what is measured just now."""
    phase = event.get("phase")
    if phase == "threads":
        return tr("Trying numbers of processor threads")
    if phase == "pieces":
        return tr("Trying how much of a prompt to read at a time")
    where = measured_name(str(event.get("device") or ""), devices)
    kind = str(event.get("type") or "")
    if where:
        return f"{where}: {tr('weights stored as {0}').format(kind) if kind else tr('the cost of a single token')}"
    return tr("Measuring…")


def measured_name(device_id: str, devices: Devices | None) -> str:
    """Return what a measured device is called."""
    return tr("Processor") if device_id == HOST else device_name(device_id, devices) if device_id else ""


def result_sentence(result: Mapping[str, Any]) -> str:
    """Return what came of it."""
    threads, piece = int(result.get("n_threads") or 0), int(result.get("n_ubatch") or 0)
    words = [tr("Measured in {0}.").format(format_duration(float(result.get("elapsed_s") or 0)))]
    kept = result.get("kept", True)
    if threads and piece and kept:
        words.append(f"{count_threads(threads)} {tr('Prompts are read {0} tokens at a time.').format(f'{piece:,}')}")
    gain, others = float(result.get("gain") or 1.0), float(result.get("others") or 0.0)
    if others > MOST_OTHERS:
        busy = tr("Other programs took {0} % of the processor meanwhile: measure again when it is quiet.")
        words.append(busy.format(round(100 * others)))
    elif kept and LEAST_GAIN <= gain <= MOST_GAIN:
        words.append(tr("That is {0} times as fast as the usual settings.").format(f"{gain:.3g}"))
    return " ".join(words)


def count_threads(n: int) -> str:
    """Return "Models run with 6 processor threads."."""
    if n == 1:  # English has no translation file to take its plural from
        return tr("Models run with one processor thread.")
    return QCoreApplication.translate("measure", "Models run with %n processor threads.", None, n)


def result_rows(result: Mapping[str, Any], devices: Devices | None) -> list[tuple[str, str]]:
    """Return the figures, each with its name in plain words."""
    bandwidth = devices.memory.bandwidth_bytes_per_s if devices is not None else None
    rows = [(tr("Main memory is read at"), tr("{0}/s").format(format_size(bandwidth)))] if bandwidth else []
    paces = {str(pace["device"]): pace for pace in result.get("paces") or ()}
    rates = {(str(rate["device"]), str(rate["type"])): rate for rate in result.get("rates") or ()}
    for device in dict.fromkeys(device for device, _ in rates):
        for model in TYPICAL:
            if (device, model.type) in rates:
                name = tr("{0}: {1} billion parameters in {2}").format(
                    measured_name(device, devices), model.billions, model.type
                )
                rows.append((name, _speeds(model, rates[device, model.type], paces.get(device, {}))))
    return rows


def _speeds(model: Typical, rate: Mapping[str, Any], pace: Mapping[str, Any]) -> str:
    """Return what a model of this size would do where all of it is on one device."""
    fixed_s = float(pace.get("token_s") or 0) + model.n_layers * float(pace.get("layer_s") or 0)
    decode_s = model.size_bytes / max(1.0, float(rate["decode_bytes_per_s"])) + fixed_s
    prefill_s = 2 * model.billions * BILLION / max(1.0, float(rate["prefill_flops"]))
    return tr("reads {0}, writes {1} tok/s").format(_round(1 / prefill_s), _round(1 / decode_s))


def _round(tokens_per_s: float) -> str:
    from app.plan.words import round_speed  # heavy: the window opens without it

    return round_speed(tokens_per_s)
