"""Choose what the engine is built for: CUDA, Vulkan, Metal or the CPU alone."""

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from console import SetupError

if TYPE_CHECKING:
    from app.devices.hardware import InstalledGpu

RPC = "-DGGML_RPC=ON"
FLAGS = {
    "cpu": (RPC,),
    "cuda": (RPC, "-DGGML_CUDA=ON"),
    "vulkan": (RPC, "-DGGML_VULKAN=ON"),
    "metal": (RPC, "-DGGML_METAL=ON"),
}


@dataclass(frozen=True)
class Nvcc:
    """The CUDA compiler: where it lies and its release, such as "13.0"."""

    path: str
    release: str


@dataclass(frozen=True)
class Backend:
    """What the engine is built for, the flags that make it so, and why in one line."""

    name: str
    cmake_flags: tuple[str, ...]
    reason: str


def find_nvcc() -> Nvcc | None:
    """Find a CUDA compiler that answers: on PATH, in CUDA_HOME, or in NVIDIA's own folder."""
    homes = [os.environ.get("CUDA_HOME"), os.environ.get("CUDA_PATH"), "/usr/local/cuda"]
    places = [shutil.which("nvcc"), *(shutil.which("nvcc", path=str(Path(home) / "bin")) for home in homes if home)]
    for path in filter(None, places):
        try:
            done = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=20, check=False)
        except (OSError, subprocess.TimeoutExpired):
            continue
        release = re.search(r"release (\d+\.\d+)", done.stdout)
        if done.returncode == 0 and release:
            return Nvcc(path, release.group(1))
    return None


def choose(wanted: str, system: str, gpus: "Sequence[InstalledGpu]", nvcc: Nvcc | None) -> Backend:
    """Choose the backend; wanted is PRONK_BACKEND, or "" to choose by what the computer has.

    CUDA needs both the compiler and a card with its driver: without libcuda.so.1 such a build could not even load.
    """
    if wanted:
        return _forced(wanted.lower(), system, nvcc)
    if system == "Darwin":
        return Backend("metal", FLAGS["metal"], "Metal, as on every Mac")
    cards = [gpu for gpu in gpus if gpu.vendor == "nvidia"]
    if nvcc and any(gpu.has_driver for gpu in cards):
        return Backend("cuda", _cuda_flags(nvcc), f"CUDA {nvcc.release} for {cards[0].label}")
    return Backend("cpu", _cpu_flags(system), _why_cpu(cards, nvcc))


def _forced(name: str, system: str, nvcc: Nvcc | None) -> Backend:
    if name not in FLAGS:
        raise SetupError(f"PRONK_BACKEND={name} is not known; use one of auto, {', '.join(FLAGS)}.")
    if name == "metal" and system != "Darwin":
        raise SetupError("PRONK_BACKEND=metal works on a Mac only; leave it out, or use cpu, cuda or vulkan.")
    if name == "cuda":
        if nvcc is None:
            raise SetupError(
                "PRONK_BACKEND=cuda needs nvcc, and none was found: install NVIDIA's CUDA toolkit, or use vulkan."
            )
        return Backend("cuda", _cuda_flags(nvcc), "CUDA, as PRONK_BACKEND asks (auto: let set-up choose)")
    flags = _cpu_flags(system) if name == "cpu" else FLAGS[name]
    return Backend(name, flags, f"{name}, as PRONK_BACKEND asks (auto: let set-up choose)")


def _cuda_flags(nvcc: Nvcc) -> tuple[str, ...]:
    on_path = shutil.which("nvcc") == nvcc.path
    return FLAGS["cuda"] if on_path else (*FLAGS["cuda"], f"-DCMAKE_CUDA_COMPILER={nvcc.path}")


def _cpu_flags(system: str) -> tuple[str, ...]:
    return (*FLAGS["cpu"], "-DGGML_METAL=OFF") if system == "Darwin" else FLAGS["cpu"]


def _why_cpu(cards: "Sequence[InstalledGpu]", nvcc: Nvcc | None) -> str:
    if nvcc and not cards:
        return f"CPU only: nvcc {nvcc.release} is here, but no NVIDIA card"
    if nvcc:
        return f"CPU only: {cards[0].label} has no working driver"
    if cards:
        return f"CPU only: {cards[0].label} is here, but no nvcc to build for it"
    return "CPU only: no NVIDIA card"
