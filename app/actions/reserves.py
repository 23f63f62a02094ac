"""Reserves that loads taught: what a device must keep free so that models of one class do not run out of memory there.

Kept in cache/reserves.json, a lesson for each (device's name, backend, driver, engine, class of model). A new driver or
engine begins anew. A file that is damaged or of another version is as good as none.
"""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from app.actions.context import Pronk
from app.core.errors import NotEnoughDisk
from app.core.files import write_atomic
from app.core.json_text import parse_json
from app.devices.values import Devices, Gpu
from app.library.facts import ModelFacts

FILE_NAME = "reserves.json"
VERSION = 1


def reserves_for(pronk: Pronk, facts: ModelFacts, devices: Devices) -> dict[str, int]:
    """Return the reserves in bytes that were learned, by device id; simulated devices taught nothing."""
    if devices.simulated:
        return {}
    known = _stored(pronk.home.cache / FILE_NAME)
    keys = {gpu.id: _key(gpu, devices.engine_version, facts) for gpu in devices.gpus}
    return {id_: known[key] for id_, key in keys.items() if key in known}


def remember_reserve(pronk: Pronk, facts: ModelFacts, devices: Devices, device_id: str, reserve_bytes: int) -> None:
    """Keep a lesson; the largest counts. A cache that cannot be written costs only the memory of it."""
    file = pronk.home.cache / FILE_NAME
    for gpu in devices.gpus:
        if gpu.id == device_id:
            known, key = _stored(file), _key(gpu, devices.engine_version, facts)
            reserves = {**known, key: max(reserve_bytes, known.get(key, 0))}
            with suppress(NotEnoughDisk):
                write_atomic(file, json.dumps({"version": VERSION, "reserves": reserves}, indent=1).encode())


def model_class(facts: ModelFacts) -> str:
    """Return what models have in common that ask for the same kernels and pools: "llama dense 1-4 GiB".

    Architecture, experts or none, and the size to a factor of four, since the pools grow with a layer's width.
    """
    experts = "experts" if facts.hyperparameter("expert_count") else "dense"
    low = 1
    while low * 4 * 2**30 <= facts.size_bytes:
        low *= 4
    size = "under 1 GiB" if facts.size_bytes < 2**30 else f"{low}-{low * 4} GiB"
    return f"{facts.architecture} {experts} {size}"


def _key(gpu: Gpu, engine_version: str, facts: ModelFacts) -> str:
    return " | ".join((gpu.name, gpu.backend, gpu.driver, engine_version, model_class(facts)))


def _stored(file: Path) -> dict[str, int]:
    try:
        document: Any = parse_json(file.read_text(encoding="utf-8"))
        if document["version"] != VERSION:
            return {}
        return {str(key): int(value) for key, value in document["reserves"].items() if int(value) > 0}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
