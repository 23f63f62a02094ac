"""One list of GPUs from what ggml and what the drivers say; pure, so that recorded computers can be replayed."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from app.core.units import format_size
from app.devices.hardware import InstalledGpu, remedy
from app.devices.values import Card, Gpu

if TYPE_CHECKING:
    from app.llama.devices import EngineDevice

INTEGRATED = 2  # ggml-backend.h, GGML_BACKEND_DEVICE_TYPE_IGPU
REMOTE = "rpc"
# How a driver's figure for the whole memory may differ from an API's for the same card.
SAME_TOTAL = 0.05
_AMD_WORDS = ("amd", "radeon")
_ADDRESS = re.compile(r"([0-9a-f]{4,8}):([0-9a-f]{2}):([0-9a-f]{2})\.([0-7])")


@dataclass(frozen=True)
class Merged:
    """Each device once, the same cards once more through another backend, the cards, and sentences for the user."""

    gpus: tuple[Gpu, ...] = ()
    doubles: tuple[Gpu, ...] = ()
    cards: tuple[Card, ...] = ()
    notes: tuple[str, ...] = ()


def merge(devices: "Sequence[EngineDevice]", cards: Sequence[Card], *, windows: bool = False) -> Merged:
    """Join ggml's devices with the drivers' cards, by PCI address, else by name and size where only one can be meant.

    devices: GPUs in ggml's order; one that comes twice was sampled twice. windows: whether local cards page (WDDM)
    unless their driver says otherwise.
    """
    sampled = _least(devices)
    matches = _matches(sampled, cards)
    gpus: list[Gpu] = []
    doubles: list[Gpu] = []
    for device in sampled:
        index = matches.get(device.id)
        card = None if index is None else cards[index]
        gpu = _gpu(device, card, _sharing(device, sampled), windows)
        first = _same_card(gpu, index, gpus, matches)
        if first is None:
            gpus.append(gpu)
        else:
            doubles.append(replace(gpu, same_as=first.id))
    used = {matches[gpu.id]: gpu.id for gpu in (*reversed(doubles), *reversed(gpus)) if gpu.id in matches}
    named = tuple(
        replace(card, pci_id=address_of(card.pci_id), device=used.get(index, "")) for index, card in enumerate(cards)
    )
    return Merged(tuple(gpus), tuple(doubles), named, (*_double_notes(doubles), *_silent_notes(gpus)))


def unused_card_notes(
    cards: Sequence[Card], installed: Sequence[InstalledGpu], backends: Collection[str], distribution: str = ""
) -> tuple[str, ...]:
    """Return a sentence for each card in the machine that the engine does not use, with figures and a remedy.

    installed: the cards that the system shows, the drivers' `cards` among them; used ones have a `device`.
    """
    by_address = {card.pci_id: card for card in cards if card.pci_id}
    known = [replace(gpu, name=_label(by_address.get(gpu.address), gpu.name)) for gpu in installed]
    shown = {gpu.address for gpu in installed}
    # A container or WSL shows a card through its driver only.
    known += [
        InstalledGpu(card.vendor, "", _label(card, None), has_driver=True, address=card.pci_id)
        for card in cards
        if card.pci_id not in shown
    ]
    used = {card.pci_id for card in cards if card.device}
    sentences = (
        remedy(gpu, backends, distribution) or _unfound(gpu, by_address) for gpu in known if gpu.address not in used
    )
    return tuple(sentence for sentence in sentences if sentence)


def address_of(pci_id: str) -> str:
    """Return a PCI address as Linux writes it ("0000:01:00.0"), "" for what is none.

    NVML writes eight digits of the domain, CUDA and Vulkan four; CUDA's virtual devices have "-v1" behind it.
    """
    match = _ADDRESS.match(pci_id.lower())
    return f"{int(match[1], 16):04x}:{match[2]}:{match[3]}.{match[4]}" if match else ""


def _least(devices: "Sequence[EngineDevice]") -> "list[EngineDevice]":
    """Return each device once, with the least free memory of its samples."""
    least: dict[str, EngineDevice] = {}
    for device in devices:
        known = least.get(device.id, device)
        least[device.id] = replace(device, free_bytes=min(known.free_bytes, device.free_bytes))
    return list(least.values())


def _matches(devices: "Sequence[EngineDevice]", cards: Sequence[Card]) -> dict[str, int]:
    """Return the index of each device's card by the device's id."""
    addresses = {address_of(card.pci_id): index for index, card in enumerate(cards)}
    local = [device for device in devices if device.backend != REMOTE]
    found = {device.id: addresses[a] for device in local if (a := address_of(device.pci_id)) and a in addresses}
    for device in local:
        if address_of(device.pci_id):
            continue
        taken = {found[other.id] for other in local if other.backend == device.backend and other.id in found}
        free = [index for index, card in enumerate(cards) if index not in taken and _alike(device, card)]
        if len(free) == 1 and _is_only(device, local, cards[free[0]]):
            found[device.id] = free[0]
    return found


def _is_only(device: "EngineDevice", local: "Sequence[EngineDevice]", card: Card) -> bool:
    """Tell whether no other device of the same backend may be this card too."""
    rivals = (d for d in local if d.backend == device.backend and d.id != device.id and not address_of(d.pci_id))
    return not any(_alike(rival, card) for rival in rivals)


def _alike(device: "EngineDevice", card: Card) -> bool:
    """Tell whether name and size allow that a device is a card; amdgpu's names come from elsewhere than Vulkan's."""
    name = device.name.lower()
    if card.vendor == "amd":
        named = any(word in name for word in _AMD_WORDS)
    else:
        named = bool(card.name) and card.name.lower() == name
    total, _ = _pool(card, device.type == INTEGRATED)
    return named and (not total or not device.total_bytes or abs(device.total_bytes - total) <= SAME_TOTAL * total)


def _pool(card: Card, integrated: bool) -> tuple[int, int]:
    """Return total and free bytes that a card offers: an integrated one also main memory."""
    if integrated:
        return card.total_bytes + card.shared_total_bytes, card.free_bytes + card.shared_free_bytes
    return card.total_bytes, card.free_bytes


def _sharing(device: "EngineDevice", devices: "Sequence[EngineDevice]") -> int:
    """Return how many devices of one backend share a device's card: CUDA can split one into several."""
    address = address_of(device.pci_id)
    same = sum(1 for d in devices if d.backend == device.backend and address_of(d.pci_id) == address)
    return same if address else 1


def _gpu(device: "EngineDevice", card: Card | None, sharing: int, windows: bool) -> Gpu:
    integrated = device.type == INTEGRATED
    card_total, card_free = (0, 0) if card is None else _pool(card, integrated)
    total = device.total_bytes or card_total // sharing
    sources = [device.free_bytes] if device.total_bytes else []
    sources += [card_free // sharing] if card_total else []
    gpu = Gpu(
        id=device.id,
        name=device.name,
        backend=device.backend,
        total_bytes=total,
        free_bytes=min([*sources, total]),
        integrated=integrated,
        is_wddm=windows and device.backend != REMOTE,
        pci_id=address_of(device.pci_id),
    )
    if card is None:
        return gpu
    shared_used = card.shared_total_bytes - card.shared_free_bytes if integrated else 0
    return replace(
        gpu,
        driver=card.driver,
        has_display=card.has_display,
        used_by_others_bytes=card.used_by_others_bytes + shared_used,
        is_wddm=card.is_wddm,
        pci_id=address_of(card.pci_id),
    )


def _same_card(gpu: Gpu, card: int | None, earlier: Sequence[Gpu], matches: dict[str, int]) -> Gpu | None:
    """Return the device of another backend through which the same card is used already.

    llama.cpp's rules: the same PCI id, and for integrated GPUs, of which a computer has one, another backend's
    (src/llama.cpp, the filling of model->devices).
    """
    for first in earlier:
        if REMOTE in (gpu.backend, first.backend) or first.backend == gpu.backend:
            continue
        addressed = bool(gpu.pci_id and first.pci_id)
        if addressed and gpu.pci_id == first.pci_id:
            return first
        if not addressed and (
            (card is not None and matches.get(first.id) == card) or (gpu.integrated and first.integrated)
        ):
            return first
    return None


def _double_notes(doubles: Sequence[Gpu]) -> tuple[str, ...]:
    return tuple(f"{gpu.id} is the same card as {gpu.same_as} ({gpu.name}); {gpu.same_as} is used." for gpu in doubles)


def _silent_notes(gpus: Sequence[Gpu]) -> tuple[str, ...]:
    return tuple(
        f"{gpu.id} ({gpu.name}) does not tell how much memory it has, so it is not used."
        for gpu in gpus
        if not gpu.total_bytes
    )


def _label(card: Card | None, name: str | None) -> str | None:
    """Return a card's name with what its driver tells of it."""
    if card is None or not card.total_bytes:
        return name or (card.name if card else None)
    told = [f"{format_size(card.free_bytes)} free of {format_size(card.total_bytes)}"]
    told += [f"driver {card.driver}"] if card.driver else []
    return f"{name or card.name} ({', '.join(told)})"


def _unfound(gpu: InstalledGpu, cards: dict[str, Card]) -> str | None:
    """Return the sentence for a card that build and driver allow, but that the engine does not list."""
    card = cards.get(gpu.address)
    if card is None or card.vendor != "nvidia":
        return None
    return f"{gpu.label} is not used: the engine does not list it. Is its driver current, is CUDA_VISIBLE_DEVICES set?"
