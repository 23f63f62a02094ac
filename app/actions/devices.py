"""What this computer has: processor, memory, GPUs, the engine."""

from typing import Any

from app.actions.context import Pronk
from app.core.errors import AppError
from app.devices.bandwidth import remember_bandwidth, remembered_bandwidth
from app.devices.system import read_cpu, read_memory
from app.devices.values import Cpu, Devices, Gpu, Memory
from app.jobs.helper import Helper

PROBE_TIMEOUT_S = 20.0
BANDWIDTH_TIMEOUT_S = 5.0


def find_devices(
    pronk: Pronk,
    simulated_gpus: tuple[tuple[str, int], ...] = (),
    ram_bytes: int | None = None,
    rpc: tuple[str, ...] = (),
) -> Devices:
    """Return this computer's devices; drivers that fail cost a note.

    simulated_gpus: (name, bytes) of cards that are planned with instead of those here; ram_bytes likewise. rpc:
    computers that lend memory, "HOST:PORT".
    """
    if not rpc:
        return probe_with(pronk.helper, pronk, simulated_gpus, ram_bytes)
    helper = pronk.helper_for(*(part for endpoint in rpc for part in ("--rpc", endpoint)))
    try:
        return probe_with(helper, pronk, simulated_gpus, ram_bytes)
    finally:
        helper.close()


def probe_with(
    helper: Helper, pronk: Pronk, simulated_gpus: tuple[tuple[str, int], ...] = (), ram_bytes: int | None = None
) -> Devices:
    """Return the devices that this helper reaches, simulated ones in the place of real ones."""
    cpu = read_cpu()
    notes: list[str] = []
    answer = _ask(helper, notes)
    memory = read_memory(_bandwidth(helper, pronk, cpu, notes))
    gpus = tuple(Gpu(**gpu) for gpu in answer["gpus"])
    if simulated_gpus:
        gpus = tuple(simulated_gpu(index, name, size) for index, (name, size) in enumerate(simulated_gpus))
    if ram_bytes is not None:
        memory = Memory(ram_bytes, ram_bytes, memory.bandwidth_bytes_per_s)
    return Devices(
        cpu=cpu,
        memory=memory,
        gpus=gpus,
        engine_version=answer["engine"]["version"],
        backends=tuple(answer["engine"]["backends"]),
        notes=(*notes, *answer["notes"]),
        simulated=bool(simulated_gpus),
    )


def simulated_gpu(index: int, name: str, size_bytes: int) -> Gpu:
    """Return a card that is not here, with CUDA's rules, all of its memory free."""
    return Gpu(f"GPU{index}", name, "cuda", size_bytes, size_bytes)


def _ask(helper: Helper, notes: list[str]) -> dict[str, Any]:
    try:
        return helper.ask("probe", PROBE_TIMEOUT_S)
    except AppError as error:
        notes.append(f"The engine and the graphics drivers could not be asked: {error.message}")
        return {"engine": {"version": "", "backends": []}, "gpus": [], "notes": []}


def _bandwidth(helper: Helper, pronk: Pronk, cpu: Cpu, notes: list[str]) -> int | None:
    known = remembered_bandwidth(pronk.home.cache, cpu.name)
    if known is not None:
        return known
    try:
        answer = helper.ask("bandwidth", BANDWIDTH_TIMEOUT_S, n_threads=cpu.physical_cores)
    except AppError as error:
        notes.append(f"Memory's speed could not be measured: {error.message}")
        return None
    return remember_bandwidth(pronk.home.cache, cpu.name, int(answer["bandwidth_bytes_per_s"]))
