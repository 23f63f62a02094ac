"""What a computer has, as values."""

from dataclasses import dataclass

# What a usual desktop's two channels of DDR5 give; for computers that are not here.
TYPICAL_BANDWIDTH_BYTES_PER_S = 50 * 10**9


@dataclass(frozen=True)
class Cpu:
    """The processor."""

    name: str
    physical_cores: int
    logical_cores: int


@dataclass(frozen=True)
class Memory:
    """Main memory; `bandwidth_bytes_per_s` is measured, None until it was."""

    total_bytes: int
    available_bytes: int
    bandwidth_bytes_per_s: int | None = None


@dataclass(frozen=True)
class Gpu:
    """One device the engine can put layers on; `id` is ggml's name for it (CUDA0, Vulkan0, RPC0[127.0.0.1:50052]).

    free_bytes: the least that any source names. What no source tells is "", False or 0: the driver's version, whether a
    screen hangs on it, what other programs hold. is_wddm: Windows' driver model, which pages to main memory instead of
    refusing. pci_id: the card's address ("0000:01:00.0"). same_as: the device through which this card is used already.
    """

    id: str
    name: str
    backend: str
    total_bytes: int
    free_bytes: int
    integrated: bool = False
    driver: str = ""
    has_display: bool = False
    used_by_others_bytes: int = 0
    is_wddm: bool = False
    pci_id: str = ""
    same_as: str = ""


@dataclass(frozen=True)
class Card:
    """One graphics card as its driver tells of it; 0 of 0 bytes where it does not tell.

    shared_…: main memory that an integrated one may use beside its own (amdgpu's GTT). device: the id of the engine's
    device that computes on it, "" when none does.
    """

    vendor: str
    name: str
    pci_id: str
    total_bytes: int = 0
    free_bytes: int = 0
    driver: str = ""
    has_display: bool = False
    used_by_others_bytes: int = 0
    is_wddm: bool = False
    shared_total_bytes: int = 0
    shared_free_bytes: int = 0
    device: str = ""


@dataclass(frozen=True)
class Devices:
    """All of it, with what the probe could not find out in `notes` (sentences for the user).

    gpus: each device once. doubles: the same cards once more, through another backend. cards: what the drivers tell
    of, the engine's devices or not.
    """

    cpu: Cpu
    memory: Memory
    gpus: tuple[Gpu, ...] = ()
    engine_version: str = ""
    backends: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    simulated: bool = False
    doubles: tuple[Gpu, ...] = ()
    cards: tuple[Card, ...] = ()
