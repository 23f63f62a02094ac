"""Foretold speed: how fast memory feeds the weights (decode) and how fast arithmetic reads a prompt (prefill).

A roofline: decode reads every active weight once a token, so t = sum over devices of bytes / (efficiency × bandwidth).
Figures of a device that nobody has measured are typical ones; they rank candidates, and are rounded when shown.
"""

from dataclasses import dataclass

from app.devices.values import Devices, Gpu
from app.plan.budget import CUDA_LIKE, Budgets
from app.plan.estimate import Span, spans_of
from app.plan.model import Model
from app.plan.values import Candidate, ExpectedSpeed
from app.plan.weights import HOST_PADDING

PROMPT_TOKENS = 2000
ANSWER_TOKENS = 300
CPU_EFFICIENCY = 0.75
GPU_EFFICIENCY = 0.65
DEFAULT_RAM_BANDWIDTH = 20e9
CPU_FLOPS_PER_CORE = 45e9
# One core unpacks quantized weights no faster than this, however fast memory is.
CPU_BYTES_PER_CORE = 12e9
# Prompt arithmetic for each byte/s of bandwidth: RTX 3060 32 TFLOPS at 360 GB/s, M2 Max 10 at 400, 4090 144 at 1008.
CUDA_FLOPS_PER_BANDWIDTH = 80.0
GPU_FLOPS_PER_BANDWIDTH = 25.0
PCIE_BYTES_PER_S = 12e9
# Starting a layer's operations: kernels on a GPU, threads that wait for each other on the processor.
GPU_LAYER_S = 8e-6
CPU_LAYER_S = 60e-6
PIECE_TOKENS = 512
REMOTE_TOKEN_S = 1e-3
GPU_BANDWIDTHS: tuple[tuple[str, float], ...] = (
    # Makers' data sheets, bytes a second; the first name found in the device's name counts.
    ("5090", 1792e9),
    ("5080", 960e9),
    ("5070 ti", 896e9),
    ("5070", 672e9),
    ("5060", 448e9),
    ("4090", 1008e9),
    ("4080", 717e9),
    ("4070 ti", 504e9),
    ("4070", 504e9),
    ("4060", 272e9),
    ("3090", 936e9),
    ("3080", 760e9),
    ("3070", 448e9),
    ("3060", 360e9),
    ("3050", 224e9),
    ("2080", 448e9),
    ("2070", 448e9),
    ("2060", 336e9),
    ("1080", 320e9),
    ("1070", 256e9),
    ("1060", 192e9),
    ("h100", 3350e9),
    ("a100", 1555e9),
    ("7900 xtx", 960e9),
    ("7900", 800e9),
    ("7800", 624e9),
    ("7600", 288e9),
    ("6800", 512e9),
    ("6700", 384e9),
    ("6600", 224e9),
    ("arc a770", 560e9),
    ("arc b580", 456e9),
    ("m3 ultra", 819e9),
    ("m2 ultra", 800e9),
    ("m1 ultra", 800e9),
    ("m4 max", 546e9),
    ("m3 max", 400e9),
    ("m2 max", 400e9),
    ("m1 max", 400e9),
    ("m4 pro", 273e9),
    ("m3 pro", 150e9),
    ("m2 pro", 200e9),
    ("m1 pro", 200e9),
    ("apple m4", 120e9),
    ("apple m3", 100e9),
    ("apple m2", 100e9),
    ("apple m1", 68e9),
)
DEFAULT_GPU_BANDWIDTH = 300e9
REMOTE_BANDWIDTH = 100e9


@dataclass(frozen=True)
class Throughput:
    """What a device does in a second: bytes of memory read, prompt arithmetic."""

    bytes_per_s: float
    flops: float
    token_s: float = 0.0


@dataclass(frozen=True)
class Throughputs:
    """The host's and each planned GPU's."""

    host: Throughput
    gpus: tuple[Throughput, ...]


def throughputs_of(devices: Devices, budgets: Budgets) -> Throughputs:
    """Return measured or typical throughput of the devices that a plan may use."""
    bandwidth = float(devices.memory.bandwidth_bytes_per_s or DEFAULT_RAM_BANDWIDTH)
    cores = max(1, devices.cpu.physical_cores)
    host = Throughput(min(bandwidth * CPU_EFFICIENCY, cores * CPU_BYTES_PER_CORE), cores * CPU_FLOPS_PER_CORE)
    by_id = {gpu.id: gpu for gpu in devices.gpus}
    return Throughputs(host, tuple(_gpu_throughput(by_id[budget.id], bandwidth) for budget in budgets.gpus))


def _gpu_throughput(gpu: Gpu, ram_bandwidth: float) -> Throughput:
    bandwidth = _gpu_bandwidth(gpu, ram_bandwidth)
    ratio = CUDA_FLOPS_PER_BANDWIDTH if gpu.backend.lower() in CUDA_LIKE else GPU_FLOPS_PER_BANDWIDTH
    return Throughput(
        bandwidth * GPU_EFFICIENCY, bandwidth * ratio, REMOTE_TOKEN_S if gpu.backend.lower() == "rpc" else 0.0
    )


def _gpu_bandwidth(gpu: Gpu, ram_bandwidth: float) -> float:
    if gpu.backend.lower() == "rpc":
        return REMOTE_BANDWIDTH
    name = gpu.name.lower()
    for part, bandwidth in GPU_BANDWIDTHS:
        if part in name:
            return bandwidth
    return ram_bandwidth if gpu.integrated else DEFAULT_GPU_BANDWIDTH


@dataclass(frozen=True)
class _Load:
    """What each device has to do for a token: layers, bytes to read, share of the arithmetic; index 0 is the host."""

    blocks: tuple[int, ...]
    weights: tuple[float, ...]
    cache: tuple[float, ...]
    shares: tuple[float, ...]


def expected_speed(model: Model, candidate: Candidate, speeds: Throughputs) -> ExpectedSpeed:
    """Foretell tokens a second for a prompt of 2,000 tokens and an answer of 300."""
    load = _load(model, candidate, len(speeds.gpus))
    return ExpectedSpeed(
        prefill_tokens_per_s=1 / _prefill_s(model, candidate, load, speeds),
        decode_tokens_per_s=1 / _decode_s(load, speeds),
    )


def task_seconds(speed: ExpectedSpeed) -> float:
    """Return how long the task takes that candidates are compared by: 2,000 tokens read, 300 written."""
    return PROMPT_TOKENS / speed.prefill_tokens_per_s + ANSWER_TOKENS / speed.decode_tokens_per_s


def _load(model: Model, candidate: Candidate, n_gpus: int) -> _Load:
    spans = spans_of(candidate, model.n_layers, n_gpus)
    sums = model.layer_totals(candidate, HOST_PADDING)
    reads = model.read_totals(candidate, PROMPT_TOKENS + ANSWER_TOKENS // 2)

    def weights(span: Span, is_host: bool) -> float:
        first, last = span.start, span.end
        experts = sums.experts[last] - sums.experts[first]
        moved = sums.moved[last] - sums.moved[first]
        mine = experts - moved if not is_host else experts - moved + sums.moved[-1]
        rest = sums.weights[last] - sums.weights[first] - experts
        return rest + mine * model.expert_share + (model.host.output_bytes if span.has_output else 0)

    each = (weights(spans.host, True), *(weights(span, False) for span in spans.gpus))
    total = sum(each) or 1.0
    return _Load(
        tuple(span.blocks for span in (spans.host, *spans.gpus)),
        each,
        tuple(float(reads[span.end] - reads[span.start]) for span in (spans.host, *spans.gpus)),
        tuple(part / total for part in each),
    )


def _decode_s(load: _Load, speeds: Throughputs) -> float:
    seconds = _starts_s(load)
    for work, more, device in zip(load.weights, load.cache, (speeds.host, *speeds.gpus), strict=True):
        if work:
            seconds += (work + more) / device.bytes_per_s + device.token_s
    return seconds


def _starts_s(load: _Load) -> float:
    return load.blocks[0] * CPU_LAYER_S + sum(load.blocks[1:]) * GPU_LAYER_S


def _prefill_s(model: Model, candidate: Candidate, load: _Load, speeds: Throughputs) -> float:
    """Return seconds for one token of a prompt that is read in pieces."""
    flops = 2.0 * model.active_parameters
    # A smaller piece starts more kernels and copies more; how much that costs is not known well enough to give a layer
    # up for it, so it only decides between equals.
    flops *= 1 + 2 / max(1, candidate.n_ubatch)
    seconds = _starts_s(load) / PIECE_TOKENS
    for index, (share, device) in enumerate(zip(load.shares, (speeds.host, *speeds.gpus), strict=True)):
        part = flops * share / device.flops
        if index == 0 and speeds.gpus and share:
            # op_offload: weights in main memory are copied to the GPU for each piece.
            copied = load.weights[0] / PCIE_BYTES_PER_S / PIECE_TOKENS
            part = min(part, copied + flops * share / speeds.gpus[0].flops)
        seconds += part + device.token_s / PIECE_TOKENS
    return seconds
