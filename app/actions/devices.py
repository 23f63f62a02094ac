"""What this computer has: processor, memory, GPUs, the engine."""

import os
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from app.actions.context import Pronk
from app.core.errors import AppError
from app.devices.amdgpu import amd_cards
from app.devices.bandwidth import remember_bandwidth, remembered_bandwidth
from app.devices.merge import merge
from app.devices.nvml import NvidiaDriver
from app.devices.system import read_cpu, read_memory
from app.devices.values import TYPICAL_BANDWIDTH_BYTES_PER_S, Card, Cpu, Devices, Gpu, Memory
from app.jobs.helper import Helper

PROBE_TIMEOUT_S = 20.0
RETRY_TIMEOUT_S = 8.0
DRIVER_TIMEOUT_S = 3.0
BANDWIDTH_TIMEOUT_S = 5.0
# What keeps the engine away from drivers that crash or hang, the likeliest first.
LEFT_OUT: tuple[tuple[str, Mapping[str, str]], ...] = (
    ("CUDA and ROCm", {"CUDA_VISIBLE_DEVICES": "-1", "HIP_VISIBLE_DEVICES": "-1"}),
    ("all graphics drivers", {"GGML_VK_VISIBLE_DEVICES": "", "VK_LOADER_DRIVERS_DISABLE": "*"}),
)


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
    answer = _ask(helper, pronk, notes)
    memory = read_memory(_bandwidth(helper, pronk, cpu, notes))
    gpus = tuple(Gpu(**gpu) for gpu in answer["gpus"])
    if simulated_gpus:
        gpus = tuple(simulated_gpu(index, name, size) for index, (name, size) in enumerate(simulated_gpus))
        answer = {**answer, "doubles": [], "cards": []}
    if ram_bytes is not None:
        # With other cards and other memory it is another computer: what was measured here says nothing about it.
        speed = TYPICAL_BANDWIDTH_BYTES_PER_S if simulated_gpus else memory.bandwidth_bytes_per_s
        memory = Memory(ram_bytes, ram_bytes, speed)
    return Devices(
        cpu=cpu,
        memory=memory,
        gpus=gpus,
        engine_version=answer["engine"]["version"],
        backends=tuple(answer["engine"]["backends"]),
        notes=(*notes, *answer["notes"]),
        simulated=bool(simulated_gpus),
        doubles=tuple(Gpu(**gpu) for gpu in answer.get("doubles", ())),
        cards=tuple(Card(**card) for card in answer.get("cards", ())),
    )


def simulated_gpu(index: int, name: str, size_bytes: int) -> Gpu:
    """Return a card that is not here, with CUDA's rules, all of its memory free."""
    return Gpu(f"GPU{index}", name, "cuda", size_bytes, size_bytes)


def _ask(helper: Helper, pronk: Pronk, notes: list[str]) -> dict[str, Any]:
    try:
        return helper.ask("probe", PROBE_TIMEOUT_S)
    except AppError as error:
        # Of a helper for lent computers it is not known that a driver here is to blame.
        answer = _ask_without_drivers(helper, error, notes) if helper is pronk.helper else None
        if answer is not None:
            return answer
        notes.append(f"The engine and the graphics drivers could not be asked: {error.message}")
        return _ask_drivers_alone()


def _ask_without_drivers(helper: Helper, error: AppError, notes: list[str]) -> dict[str, Any] | None:
    """Ask the engine again with fewer and fewer drivers, None when it is not they who fail.

    What is left out stays so for all children of this process: the engine would meet the same driver again.
    """
    before = {name: os.environ.get(name) for _, mask in LEFT_OUT for name in mask}
    for left_out, mask in LEFT_OUT:
        os.environ.update(mask)
        try:
            answer = helper.ask("probe", RETRY_TIMEOUT_S)
        except AppError:
            continue
        notes.append(f"A graphics driver failed, so the engine runs without {left_out}: {error.message}")
        return answer
    for name, value in before.items():
        os.environ.pop(name, None)
        os.environ.update({} if value is None else {name: value})
    return None


def _ask_drivers_alone() -> dict[str, Any]:
    """Return what the drivers tell of cards, for a computer whose engine does not start."""
    nvidia = NvidiaDriver(DRIVER_TIMEOUT_S)
    try:
        cards, notes = nvidia.cards()
    finally:
        nvidia.close()
    found = merge((), (*cards, *amd_cards()))
    engine = {"version": "", "backends": []}
    return {"engine": engine, "gpus": [], "cards": [asdict(card) for card in found.cards], "notes": list(notes)}


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
