"""Measuring this computer: the speed of each device with each usual type, and which threads and pieces are fastest."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.actions.context import Pronk
from app.actions.devices import find_devices
from app.actions.rate_book import Book, Measurable, open_book
from app.actions.rates import MOST_OTHERS, Measuring, is_usable, keep_tuned, measurables
from app.core.errors import AppError, Cancelled
from app.devices.values import Devices
from app.plan.speed import TASK_ANSWER_TOKENS, TASK_PROMPT_TOKENS
from app.plan.throughput import N_UBATCH

OnEvent = Callable[[Mapping[str, Any]], None]

USUAL_TYPES = ("Q4_K", "Q6_K", "Q8_0", "Q5_K", "Q3_K", "Q2_K", "Q4_0", "Q5_0", "Q4_1", "IQ4_XS", "F16", "BF16")
TUNED_TYPE = "Q4_K"
PIECES = (256, 512, 1024)
THREADS_PIECE = 128
# What is not this much faster than the usual may be chance, and is not worth being unusual for.
WORTHWHILE = 1.05
PASSES = 2


@dataclass
class _Steps:
    """Tells how far the measuring is, and ends it when it is cancelled."""

    on_event: OnEvent
    cancel: threading.Event | None
    total: int
    done: int = 0

    def next(self, phase: str, **about: str) -> None:
        """Begin a step."""
        if self.cancel is not None and self.cancel.is_set():
            raise Cancelled
        event = {"event": "progress", "phase": phase, "done": self.done, "total": self.total, **about}
        self.on_event(event)
        self.done += 1


@dataclass(frozen=True)
class _Tuning:
    """What was found to be fastest, and how many times faster than the usual it is."""

    n_threads: int
    n_ubatch: int
    gain: float
    others: float


def measure_computer(
    pronk: Pronk, on_event: OnEvent = lambda _: None, cancel: threading.Event | None = None, rpc: Sequence[str] = ()
) -> dict[str, Any]:
    """Measure and keep: {rates, paces, n_threads, n_ubatch, gain, kept, others, elapsed_s}.

    gain: how many times faster the usual task is with these threads and pieces than with the usual ones. kept: whether
    plans will use them; not where other programs took more than a tenth of the processor, for then the usual ones may
    only have had bad luck. others: the largest share that they took. What was measured when it is cancelled stays.
    Raises Cancelled.
    """
    start_s = time.perf_counter()
    devices = find_devices(pronk, rpc=tuple(rpc))
    book = open_book(pronk)
    threads = thread_counts(devices.cpu.physical_cores, devices.cpu.logical_cores)
    n_devices = len(measurables(book, devices))
    steps = _Steps(on_event, cancel, len(PIECES) + 1 + PASSES * n_devices * (len(USUAL_TYPES) + 1))
    try:
        with Measuring(pronk, rpc) as measuring:
            tuning = _tune(measuring, book, devices, threads, steps)
            kept = tuning.others <= MOST_OTHERS
            if kept:
                keep_tuned(book, devices, {"n_threads": tuning.n_threads, "n_ubatch": tuning.n_ubatch})
            measured = measurables(book, devices)
            _forget(book, measured)
            for _ in range(PASSES):
                for device in measured:
                    _measure(measuring, book, device, steps)
    finally:
        book.save()
    figures = _figures(book, measured)
    return {
        "n_threads": tuning.n_threads,
        "n_ubatch": tuning.n_ubatch,
        "gain": round(tuning.gain, 3),
        "kept": kept,
        **figures,
        "others": max(tuning.others, figures["others"]),
        "elapsed_s": round(time.perf_counter() - start_s, 2),
    }


def thread_counts(physical: int, logical: int) -> tuple[int, ...]:
    """Return the numbers of threads worth a try, the usual one first: all cores, one less, half, every thread."""
    return tuple(dict.fromkeys(max(1, count) for count in (physical, physical - 1, physical // 2, logical)))


def _tune(measuring: Measuring, book: Book, devices: Devices, threads: Sequence[int], steps: _Steps) -> _Tuning:
    """Try threads on the processor, then pieces on the device that models are put on first."""
    host, *gpus = measurables(book, devices)
    steps.next("threads")
    tried, others = _tried(measuring, host, threads, THREADS_PIECE)
    n_threads, thread_gain = fastest(dict(zip(threads, tried, strict=False)), threads[0])
    by_piece: dict[int, float] = {}
    for n_ubatch in PIECES:
        steps.next("pieces")
        tried, others_then = _tried(measuring, gpus[0] if gpus else host, (n_threads,), n_ubatch)
        if tried:
            by_piece[n_ubatch] = tried[0]
        others = max(others, others_then)
    n_ubatch, piece_gain = fastest(by_piece, N_UBATCH)
    return _Tuning(n_threads, n_ubatch, thread_gain * piece_gain, others)


def _tried(
    measuring: Measuring, device: Measurable, threads: Sequence[int], n_ubatch: int
) -> tuple[list[float], float]:
    """Return the seconds of the usual task with each number of threads, none where the device fails, and the others'
    share of the processor."""
    try:
        answer = measuring.tasks(device, TUNED_TYPE, threads, n_ubatch)
    except AppError:
        return [], 0.0
    seconds = [
        TASK_PROMPT_TOKENS * task["prefill_s"] + TASK_ANSWER_TOKENS * task["decode_s"] for task in answer["tasks"]
    ]
    return seconds, float(answer["others"])


def fastest(seconds: Mapping[int, float], usual: int) -> tuple[int, float]:
    """Return the setting that takes the least, and its gain; the usual one unless another is clearly faster."""
    if usual not in seconds:
        return usual, 1.0
    best = min(seconds, key=lambda setting: seconds[setting])
    gain = seconds[usual] / seconds[best]
    return (best, gain) if gain >= WORTHWHILE else (usual, 1.0)


def _forget(book: Book, measured: Sequence[Measurable]) -> None:
    """Begin anew: whoever asks for a measuring has a reason."""
    for device in measured:
        book.devices.pop(device.identity, None)


def _measure(measuring: Measuring, book: Book, device: Measurable, steps: _Steps) -> None:
    for name in ("", *USUAL_TYPES):
        steps.next("speed", device=device.id, type=name)
        known = book.entries(device)["types"].get(name, {}) if name else {}
        if "failed" not in known:
            measuring.into(book, device, name)


def _figures(book: Book, measured: Sequence[Measurable]) -> dict[str, Any]:
    """Return what is kept, as the result tells it."""
    rates, paces, others = [], [], [0.0]
    for device in measured:
        known = book.entries(device)
        for name, entry in known["types"].items():
            if "failed" not in entry:
                rates.append(
                    {
                        "device": device.id,
                        "type": name,
                        "decode_bytes_per_s": round(entry["decode_bytes_per_s"]),
                        "prefill_flops": round(entry["prefill_flops"]),
                        "is_sure": is_usable(entry),
                    }
                )
                others.append(entry["others"])
        pace = known.get("pace", {})
        if pace and "failed" not in pace:
            paces.append({"device": device.id, "token_s": pace["token_s"], "layer_s": pace["layer_s"]})
    return {"rates": rates, "paces": paces, "others": max(others)}
