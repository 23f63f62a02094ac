"""How much of each device may be planned with."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

from app.devices.values import Devices, Gpu

MIB = 2**20
GPU_RESERVE_BYTES = 256 * MIB
CUDA_RESERVE_BYTES = 448 * MIB
DISPLAY_RESERVE_BYTES = 128 * MIB
RAM_RESERVE_BYTES = 2 * 2**30
RAM_RESERVE_SHARE = 0.10
CUDA_LIKE = frozenset({"cuda", "rocm", "musa"})


@dataclass(frozen=True)
class Budget:
    """What may be used of one device: free − reserve, never below nothing."""

    id: str
    total_bytes: int
    free_bytes: int
    reserve_bytes: int
    backend: str
    integrated: bool = False

    @cached_property
    def usable_bytes(self) -> int:
        """What a plan may take."""
        return max(0, self.free_bytes - self.reserve_bytes)


@dataclass(frozen=True)
class Budgets:
    """The host's and each GPU's, GPUs in llama.cpp's order."""

    host: Budget
    gpus: tuple[Budget, ...]


def budgets_of(
    devices: Devices, reserve_bytes: int | None, learned: Mapping[str, int] = MappingProxyType({})
) -> Budgets:
    """Return what may be used; `reserve_bytes` replaces each GPU's reserve (the host's where there is no GPU).

    learned: reserves by device id that earlier loads taught; a wish for another reserve goes before them.

    Main memory keeps max(2 GiB, 10 %) for everything else, so that a plan never leads into swap. GPUs that report
    nothing (0 of 0 bytes) are left out: nothing can be promised about them.
    """
    gpus = tuple(_gpu_budget(gpu, reserve_bytes, learned.get(gpu.id)) for gpu in _used_gpus(devices.gpus))
    memory = devices.memory
    reserve = learned.get("CPU", max(RAM_RESERVE_BYTES, int(memory.total_bytes * RAM_RESERVE_SHARE)))
    if not gpus and reserve_bytes is not None:
        reserve = reserve_bytes
    host = Budget("CPU", memory.total_bytes, memory.available_bytes, reserve, "cpu")
    return Budgets(host, gpus)


def _used_gpus(gpus: tuple[Gpu, ...]) -> tuple[Gpu, ...]:
    """Return the devices that llama.cpp takes, in its order: lent ones, GPUs, integrated ones only without GPUs.

    Source: llama.cpp src/llama.cpp, the filling of model->devices.
    """
    known = tuple(gpu for gpu in gpus if gpu.total_bytes > 0)
    lent = tuple(gpu for gpu in known if gpu.backend.lower() == "rpc")
    discrete = tuple(gpu for gpu in known if gpu not in lent and not gpu.integrated)
    return lent + (discrete or tuple(gpu for gpu in known if gpu not in lent))


def _gpu_budget(gpu: Gpu, reserve_bytes: int | None, learned_bytes: int | None) -> Budget:
    reserve = first_reserve(gpu) if learned_bytes is None else learned_bytes
    reserve = reserve if reserve_bytes is None else reserve_bytes
    return Budget(gpu.id, gpu.total_bytes, gpu.free_bytes, reserve, gpu.backend.lower(), gpu.integrated)


def first_reserve(gpu: Gpu) -> int:
    """Return what is kept free on a device before any load taught better.

    CUDA and its kin load kernels and grow pools after the model is loaded, up to 0.3 GiB where it was measured
    (ctxprobe, RTX 5060 Ti); a desktop and Windows' driver model take a part that comes and goes. On others, lent
    computers too, 256 MiB hold a batch's copies and working room.
    """
    reserve = CUDA_RESERVE_BYTES if gpu.backend.lower() in CUDA_LIKE else GPU_RESERVE_BYTES
    shared = gpu.has_display or gpu.is_wddm
    return reserve + (DISPLAY_RESERVE_BYTES if shared else 0)
