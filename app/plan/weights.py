"""Where llama.cpp puts a model's tensors, and how many bytes they take there.

Source: llama.cpp src/llama-model.cpp (load_tensors), src/llama-arch.cpp (LLM_TENSOR_INFOS), ggml-cuda.cu
(ggml_backend_cuda_buffer_type_get_alloc_size).
"""

import platform
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from typing import NamedTuple

from app.library.facts import ModelFacts, TensorInfo
from app.plan.blocks import Blocks, Part, blocks_of

INPUT_TENSORS = ("token_embd", "position_embd", "token_types", "per_layer_token_embd")
# Used by every repeating layer, named without a number; each device that holds layers gets a copy.
SHARED_TENSORS = ("rope_freqs", "rope_factors_long", "rope_factors_short")
FIRST_LAYER_TENSORS = ("token_embd_norm", "per_layer_model_proj", "per_layer_proj_norm")
# Named like the embedding's norm, but the output's.
OUTPUT_NORM_NAMED_OTHERWISE = frozenset({"lfm2", "lfm2moe"})
# They have no output, or use the input's embedding where it is.
NEVER_TIED = frozenset(
    {"bitnet", "bert", "jina-bert-v2", "jina-bert-v3", "nomic-bert", "nomic-bert-moe", "neo-bert", "eurobert"}
    | {"modern-bert"}
)
# The embedding comes after the output that is tied to it and is no longer recognized as the same (gemma3n.cpp).
DOUBLED_WHEN_TIED = frozenset({"gemma3n", "gemma4"})
# These tensors of a draft head are loaded though the head is not (cohere2moe.cpp).
LOADED_OF_DRAFTS = re.compile(r"nextn\.(embed_tokens|shared_head_head|shared_head_norm)\.")
LOADING_THEM = frozenset({"cohere2moe", "hy_v3", "step35"})
UNUSED_TENSORS = ("masked_embd_centroids", "masked_embd_ordering")
# F32, F16, I8…I64, F64, BF16: everything else is quantized (ggml.h).
PLAIN_TYPES = frozenset({0, 1, 24, 25, 26, 27, 28, 30})
HOST_ALIGNMENT = 32
CUDA_ROW = 512
# Types that llama.cpp reorders for the processor, with the rows that must divide (ggml-cpu/repack.cpp). What depends on
# more than the instruction set that every such processor has by now (AVX2, dot products of NEON) is left out.
_REPACKED_ON_X86 = {2: 8, 12: 8, 20: 8, 39: 8}
_REPACKED_ON_ARM = {2: 4, 8: 4, 12: 8, 13: 8, 14: 8, 20: 4, 39: 4}
REPACKED_TYPES = _REPACKED_ON_ARM if platform.machine().lower() in ("arm64", "aarch64") else _REPACKED_ON_X86


class Padding(NamedTuple):
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

    `layers` holds everything of a layer, `experts` the part of it that is routed experts; the layers of a draft head
    are not loaded. `output` includes the second copy of a tied embedding, which the host needs for a few architectures
    only (`is_tied_doubled`) and where it is repacked (`is_tied_repacked`). `shared` is once on each device that holds
    one of the layers marked in `sharing`.
    """

    input_bytes: int
    layers: tuple[int, ...]
    experts: tuple[int, ...]
    output_bytes: int
    shared_bytes: int
    tied_bytes: int
    is_tied_doubled: bool
    is_tied_repacked: bool
    sharing: tuple[bool, ...]

    @property
    def expert_bytes(self) -> int:
        """All routed experts together."""
        return sum(self.experts)


def weigh(facts: ModelFacts, padding: Padding) -> Weights:
    """Add up the tensors of each group as a device with this rounding stores them."""
    blocks, others = blocks_of(facts), {tensor.name: tensor for tensor in blocks_of(facts).others}
    layers, experts = _loaded_layers(facts, blocks, padding)
    sums = {"input": 0, "output": 0, "shared": 0, "first layer": 0, "": 0}
    for name, tensor in others.items():
        sums[_group(facts.architecture, name.split(".", 1)[0])] += stored_bytes(tensor, padding)
    if layers:
        layers[0] += sums["first layer"]
    is_tied = facts.architecture not in NEVER_TIED and "output.weight" not in others
    embedding = others.get("token_embd.weight") if is_tied else None
    tied_bytes = stored_bytes(embedding, padding) if embedding else 0
    return Weights(
        input_bytes=sums["input"],
        layers=tuple(layers),
        experts=tuple(experts),
        output_bytes=sums["output"] + tied_bytes,
        shared_bytes=sums["shared"],
        tied_bytes=tied_bytes,
        is_tied_doubled=facts.architecture in DOUBLED_WHEN_TIED,
        is_tied_repacked=bool(tied_bytes and embedding and _is_repacked(embedding)),
        sharing=_sharing(facts, n_main_layers(facts)),
    )


def _loaded_layers(facts: ModelFacts, blocks: Blocks, padding: Padding) -> tuple[list[int], list[int]]:
    """Return the bytes of each layer, and those of its routed experts; of a draft head little or nothing is loaded."""

    def stored(parts: Iterable[Part]) -> int:
        return sum(stored_bytes(part, padding) for part in parts)

    def of_draft(parts: Iterable[Part]) -> int:
        return stored(part for part in parts if LOADED_OF_DRAFTS.match(part.name))

    n_loaded, n_drafts = n_main_layers(facts), facts.n_layers - n_main_layers(facts)
    layers = blocks.each(stored)[:n_loaded]
    layers += blocks.each(of_draft)[n_loaded:] if facts.architecture in LOADING_THEM else [0] * n_drafts
    experts = blocks.each(lambda parts: stored(part for part in parts if part.is_expert))[:n_loaded]
    return layers, experts + [0] * n_drafts


def n_main_layers(facts: ModelFacts) -> int:
    """Return how many blocks are loaded: those of a draft head, which come last, are not (llama.cpp load_mtp)."""
    return max(0, facts.n_layers - int(facts.hyperparameter("nextn_predict_layers", 0) or 0))


def _sharing(facts: ModelFacts, n_loaded: int) -> tuple[bool, ...]:
    """Return which layers use the tensors without a number: in Gemma 4 those without a window (gemma4.cpp)."""
    windowed = facts.hyperparameter("attention.sliding_window_pattern")
    if facts.architecture != "gemma4" or not isinstance(windowed, tuple):
        return tuple(layer < n_loaded for layer in range(facts.n_layers))
    return tuple(layer < n_loaded and windowed[layer : layer + 1] != (True,) for layer in range(facts.n_layers))


def _is_repacked(tensor: TensorInfo) -> bool:
    rows = REPACKED_TYPES.get(tensor.ggml_type)
    return rows is not None and len(tensor.shape) == 2 and tensor.shape[1] % rows == 0


def _group(architecture: str, base: str) -> str:
    """Return where a tensor without a layer's number belongs; "" where it is not loaded."""
    if base in INPUT_TENSORS:
        return "input"
    if base in SHARED_TENSORS:
        return "shared"
    if base in FIRST_LAYER_TENSORS and architecture not in OUTPUT_NORM_NAMED_OTHERWISE:
        return "first layer"
    return "" if base in UNUSED_TENSORS else "output"


def stored_bytes(tensor: TensorInfo | Part, padding: Padding) -> int:
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


_EXPERTS = r"\.ffn_(up|down|gate|gate_up)_(ch)?exps\."


@lru_cache(maxsize=256)
def moved_layers(pattern: str, n_layers: int) -> frozenset[int]:
    """Return the layers whose routed experts a pattern names."""
    search = re.compile(pattern).search
    return frozenset(layer for layer in range(n_layers) if search(f"blk.{layer}.ffn_up_exps.weight"))


def expert_pattern(layers: Iterable[int]) -> str:
    """Return the one expression that names the routed experts of `layers`.

    llama.cpp compiles each anew for every tensor: of 94 layers one by one that takes 38 ms a load, of whole tens 2 ms.
    Tens with a dot instead of all ten digits; no brackets, which libstdc++ is slow to compile.
    """
    tens = {ten: [str(layer % 10) for layer in group] for ten, group in groupby(sorted(set(layers)), lambda n: n // 10)}
    return rf"^blk\.({'|'.join(_digits(str(ten or ''), units) for ten, units in tens.items())})" + _EXPERTS


def _digits(ten: str, units: list[str]) -> str:
    if len(units) == 10:
        return f"{ten}."
    return f"{ten}({'|'.join(units)})" if len(units) > 1 else ten + units[0]
