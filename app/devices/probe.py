"""The GPUs that the engine reaches, in the helper: asked of ggml and of the drivers."""

from collections.abc import Collection
from dataclasses import asdict
from pathlib import Path
from typing import Any

from app.core.errors import EngineFailed
from app.devices.hardware import installed_gpus, linux_distribution, remedy
from app.devices.nvml import NvidiaCard, nvidia_cards
from app.devices.values import Gpu


def probe() -> dict[str, Any]:
    """Return {engine: {version, backends, system}, gpus: […], notes: […]}; a broken engine costs a note."""
    notes: list[str] = []
    engine: dict[str, Any] = {"version": "", "backends": [], "system": ""}
    gpus: tuple[Gpu, ...] = ()
    try:
        engine, gpus = _ask_engine()
    except EngineFailed as error:
        notes.append(error.message)
    else:
        notes += unused_cards(engine["backends"])
    return {"engine": engine, "gpus": [asdict(gpu) for gpu in gpus], "notes": notes}


def _ask_engine() -> tuple[dict[str, Any], tuple[Gpu, ...]]:
    from app.llama.devices import GPU, INTEGRATED, engine_devices, engine_info, start_engine_library

    start_engine_library()
    info = engine_info()
    found = [device for device in engine_devices() if device.type in (GPU, INTEGRATED)]
    cards = {card.pci_id: card for card in nvidia_cards()} if any(d.backend == "cuda" for d in found) else {}
    gpus = tuple(
        Gpu(
            device.id,
            device.name,
            device.backend,
            device.total_bytes,
            _least_free(device.free_bytes, cards.get(device.pci_id)),
            device.type == INTEGRATED,
        )
        for device in found
    )
    return {"version": info.version, "backends": list(info.backends), "system": info.system}, gpus


def _least_free(free_bytes: int, card: NvidiaCard | None) -> int:
    return free_bytes if card is None else min(free_bytes, card.free_bytes)


def unused_cards(backends: Collection[str], root: Path = Path("/")) -> list[str]:
    """Return a sentence with its remedy for each card in the machine that a build with these backends cannot use."""
    distribution = linux_distribution(root)
    sentences = [remedy(gpu, backends, distribution) for gpu in installed_gpus(root)]
    return [sentence for sentence in sentences if sentence]
