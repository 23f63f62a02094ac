"""What NVIDIA's driver says of its cards, other programs' use included."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class NvidiaCard:
    """One card by its PCI address (lower case, "0000:01:00.0")."""

    pci_id: str
    name: str
    total_bytes: int
    free_bytes: int
    driver: str


def nvidia_cards() -> tuple[NvidiaCard, ...]:
    """Return NVIDIA's cards; none without a driver or a card. Runs in a child: a driver may crash or hang."""
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return ()
    try:
        driver = _text(pynvml.nvmlSystemGetDriverVersion())
        handles = [pynvml.nvmlDeviceGetHandleByIndex(i) for i in range(pynvml.nvmlDeviceGetCount())]
        return tuple(_card(pynvml, handle, driver) for handle in handles)
    except pynvml.NVMLError:
        return ()
    finally:
        pynvml.nvmlShutdown()


def _card(pynvml: Any, handle: Any, driver: str) -> NvidiaCard:
    memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
    # NVML writes the PCI domain with eight digits, ggml with four.
    address = _text(pynvml.nvmlDeviceGetPciInfo(handle).busId).lower()[-12:]
    return NvidiaCard(address, _text(pynvml.nvmlDeviceGetName(handle)), int(memory.total), int(memory.free), driver)


def _text(value: bytes | str) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
