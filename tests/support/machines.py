"""Computers that are not here, as devices."""

from app.devices.values import Cpu, Devices, Gpu, Memory

GB = 10**9


def machine(*gpu_gb: float, ram_gb: float = 64, bandwidth_gb: float = 50) -> Devices:
    """Return an eight-core computer with CUDA cards of these sizes, all of it free."""
    gpus = tuple(
        Gpu(f"CUDA{i}", "NVIDIA GeForce RTX 3060", "cuda", int(gb * GB), int(gb * GB)) for i, gb in enumerate(gpu_gb)
    )
    memory = Memory(int(ram_gb * GB), int(ram_gb * GB), int(bandwidth_gb * GB))
    return Devices(Cpu("Test CPU", 8, 16), memory, gpus)
