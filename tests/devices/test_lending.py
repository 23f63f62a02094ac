"""What a lender tells of its memory."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from app.core.paths import Home
from app.devices.lending import lent_devices, limited, main_memory, shares
from app.llama.devices import EngineDevice
from tests.support.lender import Lender

PROCESSOR = EngineDevice("CPU", "AMD Ryzen 7", "cpu", 0, 32, 32, "")
CARD = EngineDevice("CUDA0", "NVIDIA GeForce RTX 3060", "cuda", 1, 12, 11, "0000:01:00.0")
SAME_CARD = replace(CARD, id="Vulkan0", backend="vulkan")
CHIP = EngineDevice("Vulkan1", "AMD Radeon 780M", "vulkan", 2, 16, 15, "0000:c4:00.0")
BLAS = EngineDevice("BLAS", "OpenBLAS", "blas", 3, 0, 0, "")

# Takes the endpoint and sizes in MiB; prints for each whether so much could be had there.
ASKS = """
import ctypes, sys
from app.llama.bindings import load_ggml
from app.llama.devices import start_engine_library
from app.llama.ggml import ggml
from app.llama.rpc import add_server
start_engine_library()
add_server(sys.argv[1])
device = ggml("ggml_backend_dev_by_name")(b"RPC0")
allocate = load_ggml("ggml-base").ggml_backend_buft_alloc_buffer
allocate.restype, allocate.argtypes = ctypes.c_void_p, [ctypes.c_void_p, ctypes.c_size_t]
place = ggml("ggml_backend_dev_buffer_type")(device)
print(*[bool(allocate(place, int(size) << 20)) for size in sys.argv[2:]])
"""


@pytest.mark.parametrize(
    ("found", "lent"),
    [
        ([CARD, SAME_CARD, CHIP, BLAS, PROCESSOR], ["CUDA0"]),
        ([CHIP, PROCESSOR], ["Vulkan1"]),
        ([replace(CHIP, total_bytes=0), PROCESSOR], ["CPU"]),
        ([BLAS, PROCESSOR], ["CPU"]),
    ],
)
def test_gpus_are_lent_else_the_processor(found: list[EngineDevice], lent: list[str]) -> None:
    assert [gpu.id for gpu in lent_devices(found, ())] == lent


@pytest.mark.native
@pytest.mark.skipif(sys.platform == "win32", reason="no limit of a process's memory")
def test_limit_is_kept_whatever_the_borrower_asks_for(home: Home) -> None:
    lender = Lender(home.logs / "lender.log", "--memory", "200MB")
    try:
        command = [sys.executable, "-c", ASKS, lender.endpoint, "100", "3000"]
        root = Path(__file__).parents[2]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=root)
        assert done.stdout.split() == ["True", "False"]
        assert lender.told("worker_died") == 0
    finally:
        lender.end()


def test_main_memory_keeps_some_for_the_lender() -> None:
    free, total = main_memory()
    assert 0 <= free <= total - 2 * 2**30


def test_limit_is_dealt_to_the_devices_in_order() -> None:
    assert shares(None, [5, 5]) == (None, None)
    assert shares(8, [6, 6]) == (6, 2)
    assert shares(3, [6, 6]) == (3, 0)


def test_limited_memory_falls_as_it_is_taken() -> None:
    free = [100]
    ask = limited(lambda: (free[0], 200), 30, 100)
    assert ask() == (30, 30)
    free[0] = 90
    assert ask() == (20, 30)
    free[0] = 10
    assert ask() == (0, 30)
    free[0] = 150
    assert ask() == (30, 30)
    assert limited(lambda: (7, 9), None, 7)() == (7, 9)
