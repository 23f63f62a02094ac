"""How fast each device computes: as measured, else typical figures fitted to what was measured."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from statistics import median

from app.devices.values import Devices, Gpu
from app.library.ggml_types import GGML_TYPES
from app.plan.budget import CUDA_LIKE, Budgets
from app.plan.cards import assumed_bandwidth, known_bandwidth
from app.plan.values import NOTHING_LEARNED, Learned, Pace, Rate

HOST = "CPU"
N_UBATCH = 512
SMALLER_PIECES = (512, 256)
CPU_EFFICIENCY = 0.85
GPU_EFFICIENCY = 0.65
# One that shares main memory: its few units keep that memory as busy as the processor's cores do, and multiply faster.
INTEGRATED_EFFICIENCY = 0.85
DEFAULT_RAM_BANDWIDTH = 20e9
# One core's bytes a second while it unpacks weights from a cache, and its arithmetic in prompts: AMD EPYC (Zen 4,
# AVX-512, 2.6 GHz), one thread, llama.cpp of llama-cpp-python 0.3.36.
CORE_RATES: dict[str, tuple[float, float]] = {
    "F32": (20e9, 40e9),
    "F16": (20e9, 72e9),
    "BF16": (20e9, 115e9),
    "Q8_0": (17e9, 62e9),
    "Q6_K": (15e9, 110e9),
    "Q5_K": (12e9, 100e9),
    "Q5_1": (9e9, 40e9),
    "Q5_0": (10e9, 65e9),
    "Q4_K": (14e9, 82e9),
    "Q4_1": (9.5e9, 32e9),
    "Q4_0": (17e9, 110e9),
    "IQ4_NL": (12e9, 80e9),
    "IQ4_XS": (12e9, 80e9),
    "Q3_K": (8e9, 110e9),
    "Q2_K": (13e9, 75e9),
}
OTHER_CORE_RATE = (5e9, 30e9)
CPU_PACE = Pace(token_s=40e-6, layer_s=45e-6, attention_decode_s=5e-10, attention_prefill_s=4e-10)
"""One core's; attention divides by the cores."""
# Prompt arithmetic for each byte/s of bandwidth: RTX 3060 32 TFLOPS at 360 GB/s, M2 Max 10 at 400, 4090 144 at 1008.
CUDA_FLOPS_PER_BANDWIDTH = 80.0
GPU_FLOPS_PER_BANDWIDTH = 25.0
GPU_LAYER_S = 8e-6
REMOTE_TOKEN_S = 1e-3
REMOTE_BANDWIDTH = 100e9


@dataclass(frozen=True)
class Throughput:
    """One device: its rate for every type, and what it takes besides."""

    rates: Mapping[str, Rate]
    pace: Pace


@dataclass(frozen=True)
class Throughputs:
    """The host's and each planned GPU's; the threads and the size of a prompt's pieces that are fastest here."""

    host: Throughput
    gpus: tuple[Throughput, ...]
    n_threads: int = 1
    n_ubatch: int = N_UBATCH

    @property
    def pieces(self) -> tuple[int, ...]:
        """Sizes of a prompt's pieces worth planning with: the fastest, and smaller ones that take less memory."""
        return (self.n_ubatch, *(size for size in SMALLER_PIECES if size < self.n_ubatch))


def throughputs_of(devices: Devices, budgets: Budgets, learned: Learned = NOTHING_LEARNED) -> Throughputs:
    """Return the throughput of the devices that a plan may use."""
    bandwidth = float(devices.memory.bandwidth_bytes_per_s or DEFAULT_RAM_BANDWIDTH)
    cores = max(1, devices.cpu.physical_cores)
    host = _known(HOST, _typical_cpu(bandwidth, cores), learned)
    by_id = {gpu.id: gpu for gpu in devices.gpus}
    gpus = (_known(budget.id, _typical_gpu(by_id[budget.id], bandwidth), learned) for budget in budgets.gpus)
    return Throughputs(host, tuple(gpus), learned.n_threads or cores, learned.n_ubatch or N_UBATCH)


def _known(device: str, typical: Throughput, learned: Learned) -> Throughput:
    """Put measured figures in the place of typical ones; types not measured yet shift as those that are."""
    measured = {kind: rate for (id_, kind), rate in learned.rates.items() if id_ == device and kind in typical.rates}
    if not measured and device not in learned.paces:
        return typical
    rates = dict(typical.rates)
    if measured:
        decode = median(rate.decode_bytes_per_s / rates[kind].decode_bytes_per_s for kind, rate in measured.items())
        prefill = median(rate.prefill_flops / rates[kind].prefill_flops for kind, rate in measured.items())
        rates = {
            kind: Rate(rate.decode_bytes_per_s * decode, rate.prefill_flops * prefill) for kind, rate in rates.items()
        }
    return Throughput({**rates, **measured}, learned.paces.get(device, typical.pace))


@lru_cache(maxsize=16)
def _typical_cpu(bandwidth: float, cores: int) -> Throughput:
    rates = {}
    for ggml_type in GGML_TYPES.values():
        core_bytes, core_flops = CORE_RATES.get(ggml_type.name, OTHER_CORE_RATE)
        rates[ggml_type.name] = Rate(min(bandwidth * CPU_EFFICIENCY, cores * core_bytes), cores * core_flops)
    pace = Pace(
        CPU_PACE.token_s,
        CPU_PACE.layer_s,
        CPU_PACE.attention_decode_s / cores,
        CPU_PACE.attention_prefill_s / cores,
    )
    return Throughput(rates, pace)


@lru_cache(maxsize=64)
def _typical_gpu(gpu: Gpu, ram_bandwidth: float) -> Throughput:
    bandwidth = _gpu_bandwidth(gpu, ram_bandwidth)
    backend = gpu.backend.lower()
    flops = bandwidth * (CUDA_FLOPS_PER_BANDWIDTH if backend in CUDA_LIKE else GPU_FLOPS_PER_BANDWIDTH)
    rate = Rate(bandwidth * (INTEGRATED_EFFICIENCY if gpu.integrated else GPU_EFFICIENCY), flops)
    # An element of a query shares the four bytes of a key's and a value's element with, typically, three others.
    pace = Pace(
        REMOTE_TOKEN_S if backend == "rpc" else 0.0, GPU_LAYER_S, 1 / rate.decode_bytes_per_s, 8 / rate.prefill_flops
    )
    return Throughput({ggml_type.name: rate for ggml_type in GGML_TYPES.values()}, pace)


def _gpu_bandwidth(gpu: Gpu, ram_bandwidth: float) -> float:
    if gpu.backend.lower() == "rpc":
        return REMOTE_BANDWIDTH
    return known_bandwidth(gpu.name) or (ram_bandwidth if gpu.integrated else assumed_bandwidth(gpu))
