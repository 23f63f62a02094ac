"""The GPUs that the engine reaches, in the helper: asked of ggml and of the drivers."""

import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.core.errors import EngineFailed
from app.devices.amdgpu import amd_cards
from app.devices.hardware import installed_gpus, linux_distribution
from app.devices.merge import merge, unused_card_notes
from app.devices.nvml import NvidiaDriver
from app.devices.values import Card

if TYPE_CHECKING:
    from app.llama.devices import EngineDevice

_NO_ENGINE: dict[str, Any] = {"version": "", "backends": [], "system": ""}


class Probe:
    """Asks all sources, as often as wanted; each that fails costs a note of its own."""

    def __init__(self, root: Path = Path("/")) -> None:
        self._root = root
        self._nvidia = NvidiaDriver()

    def ask(self) -> dict[str, Any]:
        """Return {engine: {version, backends, system}, gpus, doubles, cards, notes}.

        ggml and the drivers are sampled twice, for other programs come and go: the least free memory counts.
        """
        with ThreadPoolExecutor(1) as pool:
            asking = pool.submit(self._nvidia.cards)  # while the engine starts
            engine, first, engine_notes = _ask_engine()
            nvidia, nvidia_notes = asking.result()
        cards = (*nvidia, *amd_cards(self._root))
        found = merge((*first, *_sample(bool(first))), cards, windows=sys.platform == "win32")
        unused = self._unused(found.cards, engine["backends"]) if engine["backends"] else ()
        return {
            "engine": engine,
            "gpus": [asdict(gpu) for gpu in found.gpus],
            "doubles": [asdict(gpu) for gpu in found.doubles],
            "cards": [asdict(card) for card in found.cards],
            "notes": [*engine_notes, *nvidia_notes, *found.notes, *unused],
        }

    def _unused(self, cards: tuple[Card, ...], backends: list[str]) -> tuple[str, ...]:
        return unused_card_notes(cards, installed_gpus(self._root), backends, linux_distribution(self._root))


def _ask_engine() -> "tuple[dict[str, Any], tuple[EngineDevice, ...], tuple[str, ...]]":
    """Return the engine, a first sample of its GPUs, and a note when it is broken."""
    from app.llama.devices import engine_info, start_engine_library

    try:
        start_engine_library()
    except EngineFailed as error:
        return _NO_ENGINE, (), (error.message,)
    info = engine_info()
    engine = {"version": info.version, "backends": list(info.backends), "system": info.system}
    return engine, _sample(True), ()


def _sample(has_gpus: bool) -> "tuple[EngineDevice, ...]":
    from app.llama.devices import GPU, INTEGRATED, engine_devices

    return tuple(device for device in engine_devices() if device.type in (GPU, INTEGRATED)) if has_gpus else ()
