"""Where llama.cpp puts a model's tensors, and how many bytes they take there.

Source: llama.cpp src/llama-model.cpp (load_tensors), src/llama-arch.cpp (LLM_TENSOR_INFOS), ggml-cuda.cu
(ggml_backend_cuda_buffer_type_get_alloc_size).
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from app.library.facts import ModelFacts, TensorInfo

INPUT_TENSORS = ("token_embd", "position_embd", "token_types", "per_layer_token_embd")
# Used by every repeating layer, named without a number; each device that holds layers gets a copy.
SHARED_TENSORS = ("rope_freqs", "rope_factors_long", "rope_factors_short")
FIRST_LAYER_TENSORS = ("token_embd_norm",)
EXPERT_TENSOR = re.compile(r"\.ffn_(up|down|gate|gate_up)_(ch)?exps\.")
# F32, F16, I8…I64, F64, BF16: everything else is quantized (ggml.h).
PLAIN_TYPES = frozenset({0, 1, 24, 25, 26, 27, 28, 30})
HOST_ALIGNMENT = 32
CUDA_ROW = 512


@dataclass(frozen=True)
class Padding:
    """How a device rounds a tensor up: to `alignment`, after filling quantized rows up to `row` elements (0: not)."""

    alignment: int
    row: int = 0


HOST_PADDING = Padding(HOST_ALIGNMENT)


def padding_of(backend: str) -> Padding:
    """Return the rounding of a device of this ggml backend."""
    if backend in ("cuda", "rocm", "musa"):
        return Padding(128, CUDA_ROW)
    return Padding(HOST_ALIGNMENT if backend in ("cpu", "rpc", "metal") else 256)


@dataclass(frozen=True)
class Weights:
    """Bytes of a model's tensors, rounded up, by the group that is placed together.

    `layers` holds everything of a layer, `experts` the part of it that is routed experts. `output` includes the
    second copy of a tied embedding. `shared` is once on each device that holds layers.
    """

    input_bytes: int
    layers: tuple[int, ...]
    experts: tuple[int, ...]
    output_bytes: int
    shared_bytes: int
    tied_bytes: int

    @property
    def expert_bytes(self) -> int:
        """All routed experts together."""
        return sum(self.experts)


def weigh(facts: ModelFacts, padding: Padding) -> Weights:
    """Add up the tensors of each group as a device with this rounding stores them."""
    layers = [0] * facts.n_layers
    experts = [0] * facts.n_layers
    sums = {"input": 0, "output": 0, "shared": 0}
    embedding = 0
    tied = True
    for tensor in facts.tensors:
        size_bytes = stored_bytes(tensor, padding)
        name = tensor.name
        if name.startswith("blk."):
            layer = int(name[4 : name.index(".", 4)])
            if layer < facts.n_layers:
                layers[layer] += size_bytes
                if EXPERT_TENSOR.search(name):
                    experts[layer] += size_bytes
            continue
        base = name.split(".", 1)[0]
        if base in FIRST_LAYER_TENSORS and layers:
            layers[0] += size_bytes
            continue
        sums[_group(base)] += size_bytes
        if name == "token_embd.weight":
            embedding = size_bytes
        tied = tied and name != "output.weight"
    tied_bytes = embedding if tied else 0
    return Weights(
        sums["input"], tuple(layers), tuple(experts), sums["output"] + tied_bytes, sums["shared"], tied_bytes
    )


def _group(base: str) -> str:
    if base in INPUT_TENSORS:
        return "input"
    return "shared" if base in SHARED_TENSORS else "output"


def stored_bytes(tensor: TensorInfo, padding: Padding) -> int:
    """Return what one tensor takes on a device with this rounding."""
    size_bytes = tensor.size_bytes
    if padding.row and tensor.ggml_type not in PLAIN_TYPES and tensor.shape and tensor.shape[0] % padding.row:
        elements = 1
        for length in tensor.shape:
            elements *= length
        size_bytes += size_bytes * (padding.row - tensor.shape[0] % padding.row) // max(1, elements)
    return pad(size_bytes, padding.alignment)


def pad(value: int, step: int) -> int:
    """Round up to a multiple of `step`."""
    return -(-value // step) * step


_EXPERT_PATTERN = re.compile(r"\^blk\\\.\(([\d|]*)\)\\\.ffn_\(up\|down\|gate\|gate_up\)_\(ch\)\?exps\\\.")


def moved_layers(pattern: str, n_layers: int) -> frozenset[int]:
    """Return the layers whose routed experts a pattern names."""
    if own := _EXPERT_PATTERN.fullmatch(pattern):
        # Ours, read back: compiling a list of ninety numbers takes longer than the rest of a plan.
        return frozenset(int(number) for number in own[1].split("|") if number)
    search = re.compile(pattern).search
    return frozenset(layer for layer in range(n_layers) if search(f"blk.{layer}.ffn_up_exps.weight"))


def expert_pattern(layers: Iterable[int]) -> str:
    """Return the one expression that names the routed experts of `layers` (one combined: llama.cpp compiles each)."""
    numbers = "|".join(str(layer) for layer in layers)
    return rf"^blk\.({numbers})\.ffn_(up|down|gate|gate_up)_(ch)?exps\."
