"""What a computer has, as values."""

from dataclasses import dataclass


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
    screen hangs on it, what other programs hold.
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


@dataclass(frozen=True)
class Devices:
    """All of it, with what the probe could not find out in `notes` (sentences for the user)."""

    cpu: Cpu
    memory: Memory
    gpus: tuple[Gpu, ...] = ()
    engine_version: str = ""
    backends: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    simulated: bool = False
