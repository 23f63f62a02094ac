"""How fast this computer's devices are: measured in a child, kept per device, engine and quantization type.

What is kept, and how, stands in rate_book.py.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from app.actions.context import Pronk
from app.actions.rate_book import Book, Entry, Measurable, open_book
from app.core.errors import AppError
from app.devices.values import Cpu, Devices
from app.jobs.commands import module_command
from app.jobs.helper import Helper
from app.library.facts import ModelFacts
from app.library.ggml_types import GGML_TYPES
from app.plan.throughput import HOST
from app.plan.values import Learned, Pace, Rate
from app.plan.work import work_of

ASK_TIMEOUT_S = 60.0
# What a plan may spend on measuring what it needs; the rest waits for the next one.
PLAN_BUDGET_S = 4.0
# A measurement beside other programs is too slow: it is done again with the next plan, three times at most. The best of
# three will do when little was taken, else typical figures are nearer.
MOST_OTHERS, MOST_OTHERS_AT_LAST = 0.1, 0.25
MOST_TRIES = 3
# A type with less of a model's bytes decides nothing.
LEAST_SHARE = 0.02
TYPE_NUMBERS = {ggml_type.name: number for number, ggml_type in GGML_TYPES.items()}


def is_settled(entry: Entry | None) -> bool:
    """Tell whether an entry needs no other measurement."""
    if entry is None:
        return False
    return bool(entry.get("others", 1.0) <= MOST_OTHERS or entry["tries"] >= MOST_TRIES)


def is_usable(entry: Entry | None) -> bool:
    """Tell whether an entry's figures are better than typical ones."""
    if entry is None or "failed" in entry:
        return False
    return bool(entry["others"] <= (MOST_OTHERS_AT_LAST if entry["tries"] >= MOST_TRIES else MOST_OTHERS))


def measurables(book: Book, devices: Devices) -> tuple[Measurable, ...]:
    """Return the devices of this computer, the processor first; none of simulated ones but the processor."""
    n_threads = _tuned(book, devices).get("n_threads") or max(1, devices.cpu.physical_cores)
    host = Measurable(HOST, f"{_cpu_key(devices)} | {n_threads} threads", n_threads)
    if devices.simulated:
        return (host,)
    return (
        host,
        *(
            Measurable(gpu.id, " | ".join((gpu.id, gpu.name, gpu.driver, devices.engine_version)), 1)
            for gpu in devices.gpus
            if gpu.total_bytes > 0
        ),
    )


def rates_for(pronk: Pronk, devices: Devices) -> Learned:
    """Return what was measured of these devices and can be relied on (reserves are another's to tell)."""
    book = open_book(pronk)
    rates: dict[tuple[str, str], Rate] = {}
    paces: dict[str, Pace] = {}
    try:
        for device in measurables(book, devices):
            known = book.entries(device)
            if is_usable(known.get("pace")):
                paces[device.id] = Pace(**_figures(known["pace"], Pace))
            for name, entry in known["types"].items():
                if is_usable(entry):
                    rates[device.id, name] = Rate(**_figures(entry, Rate))
        tuned = _tuned(book, devices)
        return Learned({}, rates, paces, tuned.get("n_threads"), tuned.get("n_ubatch"))
    except (KeyError, TypeError, ValueError, AttributeError):  # damaged by hand: as if nothing was measured
        return Learned()


def measure_missing(
    pronk: Pronk,
    facts: ModelFacts,
    devices: Devices,
    rpc: Sequence[str] = (),
    budget_s: float = PLAN_BUDGET_S,
    on_start: Callable[[], None] = lambda: None,
) -> None:
    """Measure what a plan of this model needs and nobody has measured yet: about half a second for each type.

    What fails is noted, and tried three times in all. What does not fit into `budget_s` is left to the next plan.
    """
    book = open_book(pronk)
    wanted = [
        (device, name)
        for device in measurables(book, devices)
        for name in ("", *main_types(facts))
        if not is_settled(_kept(book, device, name))
    ]
    if not wanted:
        return
    on_start()
    deadline_s = time.perf_counter() + budget_s
    with Measuring(pronk, rpc) as measuring:
        for device, name in wanted:
            if time.perf_counter() > deadline_s:
                break
            measuring.into(book, device, name)
    book.save()


def main_types(facts: ModelFacts) -> tuple[str, ...]:
    """Return the quantization types that a model's speed depends on, the most bytes first."""
    work = work_of(facts)
    total = sum(work.bytes_by_type.values()) or 1
    return tuple(name for name in work.types if work.bytes_by_type[TYPE_NUMBERS[name]] >= LEAST_SHARE * total)


class Measuring:
    """The child that measures; a context manager."""

    def __init__(self, pronk: Pronk, rpc: Sequence[str] = ()) -> None:
        words = [word for endpoint in rpc for word in ("--rpc", endpoint)]
        folder = str(pronk.home.cache / "benchmark")
        self._helper = Helper(
            module_command("app.devices.benchmark", "--folder", folder, *words), pronk.log("benchmark")
        )

    def __enter__(self) -> "Measuring":
        return self

    def __exit__(self, *_: object) -> None:
        self._helper.close()

    def into(self, book: Book, device: Measurable, type_name: str) -> None:
        """Measure a device with one type (""; what it takes besides) and note the figures, or the failure."""
        fields: dict[str, Any] = {"device": device.id, "n_threads": device.n_threads}
        if type_name:
            fields["ggml_type"] = TYPE_NUMBERS[type_name]
        try:
            entry = self._helper.ask("type" if type_name else "device", ASK_TIMEOUT_S, **fields)
        except AppError as error:
            entry = {"failed": error.message}
        if type_name:
            book.add_type(device, type_name, entry)
        else:
            book.add_pace(device, entry)

    def tasks(self, device: Measurable, type_name: str, n_threads: Sequence[int], n_ubatch: int) -> Entry:
        """Return {tasks: [{decode_s, prefill_s} for each number of threads], others}."""
        return self._helper.ask(
            "tasks",
            ASK_TIMEOUT_S,
            device=device.id,
            ggml_type=TYPE_NUMBERS[type_name],
            n_threads=list(n_threads),
            n_ubatch=n_ubatch,
        )


def keep_tuned(book: Book, devices: Devices, tuned: Mapping[str, int]) -> None:
    """Keep the number of threads and the size of prompt pieces that are faster here."""
    book.devices[_tuning_key(devices)] = dict(tuned)


def _kept(book: Book, device: Measurable, type_name: str) -> Entry | None:
    known = book.entries(device)
    entry: Entry | None = known["types"].get(type_name) if type_name else known.get("pace")
    return entry


def _figures(entry: Entry, form: Callable[..., Any]) -> dict[str, float]:
    names: Sequence[str] = form.__match_args__  # type: ignore[attr-defined]
    return {name: float(entry[name]) for name in names}


def _cpu_key(devices: Devices) -> str:
    cpu: Cpu = devices.cpu
    return " | ".join((HOST, cpu.name, devices.engine_version))


def _tuning_key(devices: Devices) -> str:
    return " | ".join(("tuned", _cpu_key(devices), *(gpu.name for gpu in devices.gpus)))


def _tuned(book: Book, devices: Devices) -> Mapping[str, int]:
    tuned = book.devices.get(_tuning_key(devices), {})
    return tuned if isinstance(tuned, dict) else {}
