"""The build that a machine gets, by its cards and compilers."""

import backends
import pytest
from backends import Nvcc
from console import SetupError

from app.devices.hardware import InstalledGpu

NVCC = Nvcc("/nowhere/nvcc", "13.0")
CARD = InstalledGpu("nvidia", "10de:2684", "NVIDIA GeForce RTX 4090", has_driver=True)
DRIVERLESS = InstalledGpu("nvidia", "10de:2684", None, has_driver=False)
RADEON = InstalledGpu("amd", "1002:744c", None, has_driver=True)


@pytest.mark.parametrize(
    ("system", "gpus", "nvcc", "name", "reason"),
    [
        ("Linux", [], None, "cpu", "no NVIDIA card"),
        ("Linux", [], NVCC, "cpu", "nvcc 13.0 is here, but no NVIDIA card"),
        ("Linux", [CARD], None, "cpu", "RTX 4090 is here, but no nvcc"),
        ("Linux", [DRIVERLESS], NVCC, "cpu", "no working driver"),
        ("Linux", [RADEON], NVCC, "cpu", "no NVIDIA card"),
        ("Linux", [RADEON, CARD], NVCC, "cuda", "CUDA 13.0 for NVIDIA GeForce RTX 4090"),
        ("Windows", [CARD], NVCC, "cuda", "CUDA 13.0"),
        ("Darwin", [], None, "metal", "Metal"),
    ],
)
def test_backend_by_machine(system: str, gpus: list[InstalledGpu], nvcc: Nvcc | None, name: str, reason: str) -> None:
    backend = backends.choose("", system, gpus, nvcc)
    assert backend.name == name
    assert reason in backend.reason
    assert "\n" not in backend.reason
    assert "-DGGML_RPC=ON" in backend.cmake_flags


def test_cuda_compiler_that_is_not_on_path_is_named() -> None:
    assert "-DCMAKE_CUDA_COMPILER=/nowhere/nvcc" in backends.choose("", "Linux", [CARD], NVCC).cmake_flags


@pytest.mark.parametrize(
    ("wanted", "system", "flag"),
    [
        ("cpu", "Linux", "-DGGML_RPC=ON"),
        ("CUDA", "Linux", "-DGGML_CUDA=ON"),
        ("vulkan", "Linux", "-DGGML_VULKAN=ON"),
        ("metal", "Darwin", "-DGGML_METAL=ON"),
        ("cpu", "Darwin", "-DGGML_METAL=OFF"),
    ],
)
def test_the_user_s_choice_wins(wanted: str, system: str, flag: str) -> None:
    backend = backends.choose(wanted, system, [CARD], NVCC)
    assert backend.name == wanted.lower()
    assert flag in backend.cmake_flags


@pytest.mark.parametrize(
    ("wanted", "system", "nvcc"), [("rocm", "Linux", NVCC), ("metal", "Linux", NVCC), ("cuda", "Linux", None)]
)
def test_impossible_choice_is_refused_in_words(wanted: str, system: str, nvcc: Nvcc | None) -> None:
    with pytest.raises(SetupError, match=f"PRONK_BACKEND={wanted}"):
        backends.choose(wanted, system, [], nvcc)
