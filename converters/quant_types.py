"""Chooses the type of every tensor of a GGUF file, as llama.cpp's quantizer does.

Pure. Source: llama.cpp, src/llama-quant.cpp: tensor_allows_quantization, llama_tensor_get_type_impl and
tensor_type_fallback; for what stays F32, conversion/base.py: prepare_tensors. native_check.py compares this table
with the library at run time, and the library wins.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum

Shape = tuple[int, ...]


class GgmlType(IntEnum):
    """Tensor types by their number in a file. Source: ggml/include/ggml.h, enum ggml_type."""

    F32 = 0
    F16 = 1
    Q4_0 = 2
    Q4_1 = 3
    Q5_0 = 6
    Q5_1 = 7
    Q8_0 = 8
    Q2_K = 10
    Q3_K = 11
    Q4_K = 12
    Q5_K = 13
    Q6_K = 14
    BF16 = 30


T = GgmlType

# elements in a block, bytes of a block. Source: ggml/src/ggml-common.h
BLOCKS: Mapping[GgmlType, tuple[int, int]] = {
    T.F32: (1, 4), T.F16: (1, 2), T.BF16: (1, 2),
    T.Q4_0: (32, 18), T.Q4_1: (32, 20), T.Q5_0: (32, 22), T.Q5_1: (32, 24), T.Q8_0: (32, 34),
    T.Q2_K: (256, 84), T.Q3_K: (256, 110), T.Q4_K: (256, 144), T.Q5_K: (256, 176), T.Q6_K: (256, 210),
}  # fmt: skip


@dataclass(frozen=True)
class FileType:
    """A type that a user asks for: its number in general.file_type and the type most tensors get."""

    name: str
    number: int
    base: GgmlType


# Source: include/llama.h, enum llama_ftype
FILE_TYPES: Mapping[str, FileType] = {
    kind.name: kind
    for kind in (
        FileType("F32", 0, T.F32), FileType("F16", 1, T.F16), FileType("BF16", 32, T.BF16), FileType("Q8_0", 7, T.Q8_0),
        FileType("Q2_K", 10, T.Q2_K), FileType("Q3_K_S", 11, T.Q3_K), FileType("Q3_K_M", 12, T.Q3_K),
        FileType("Q3_K_L", 13, T.Q3_K), FileType("Q4_0", 2, T.Q4_0), FileType("Q4_K_S", 14, T.Q4_K),
        FileType("Q4_K_M", 15, T.Q4_K), FileType("Q5_0", 8, T.Q5_0), FileType("Q5_K_S", 16, T.Q5_K),
        FileType("Q5_K_M", 17, T.Q5_K), FileType("Q6_K", 18, T.Q6_K),
    )
}  # fmt: skip
UNQUANTIZED = ("F32", "F16", "BF16")

_FALLBACK = {T.Q2_K: T.Q4_0, T.Q3_K: T.Q4_0, T.Q4_K: T.Q5_0, T.Q5_K: T.Q5_1, T.Q6_K: T.Q8_0}
_KEPT_F32 = re.compile(
    r"_norm\.weight$|ffn_gate_inp(_shexp)?\.weight$|position_embd|token_types|ssm_conv1d|shortconv\.conv"
)
_KEPT_WIDE = re.compile(r"_norm\.weight|ffn_gate_inp\.weight|altup|laurel|per_layer_model_proj|attn_rel_b\.weight")
_ATTN_V = re.compile(r"attn_(qkv|kv_b|v)\.weight")


@dataclass(frozen=True)
class ModelSizes:
    """What the chooser needs to know about a model."""

    architecture: str
    n_layer: int
    n_head: int
    n_head_kv: int
    n_expert: int = 0

    @property
    def gqa(self) -> int:
        """Heads that share one key-value head."""
        return self.n_head // self.n_head_kv if self.n_head_kv else 0

    @property
    def is_70b(self) -> bool:
        """True for the layer counts that llama.cpp calls "70B" (src/models/*.cpp, LLM_TYPE_70B)."""
        if self.architecture == "llama":
            return self.n_layer == 80 and self.n_head != self.n_head_kv
        return (self.architecture, self.n_layer) in {("qwen2", 80), ("deci", 80), ("olmo", 80), ("jais2", 68)}


def size_of(kind: GgmlType, shape: Shape) -> int:
    """Bytes of a tensor of this type and shape (outermost dimension first)."""
    block, block_bytes = BLOCKS[kind]
    rows = 1
    for length in shape[:-1]:
        rows *= length
    return rows * (shape[-1] // block) * block_bytes


def file_order(name: str) -> tuple[int, str]:
    """Sort key of tensors in a quantized file: those of no block first, then by block and name."""
    match = re.match(r"blk\.(\d+)\.", name)
    return (int(match[1]) if match else -1, name)


def choose(file_type: FileType, model: ModelSizes, shapes: Mapping[str, Shape], wide: GgmlType) -> dict[str, GgmlType]:
    """Give the type of each tensor, in file order.

    shapes: GGUF name to shape, outermost dimension first. wide: the 16-bit (or F32) type that the unquantized file of
    this checkpoint has; tensors that are never quantized keep it.
    """
    names = sorted(shapes, key=file_order)
    quantized = [name for name in names if file_type.name not in UNQUANTIZED and _may_quantize(name, shapes[name])]
    wide = file_type.base if file_type.name in UNQUANTIZED else wide
    types = {name: T.F32 if _stays_f32(name, shapes[name]) else wide for name in names}
    chooser = _Chooser(file_type, model, tied="output.weight" not in shapes, n_attn_v=_count_attn_v(quantized))
    return types | {name: chooser.next_type(name, shapes[name]) for name in quantized}


def _stays_f32(name: str, shape: Shape) -> bool:
    return len(shape) < 2 or not name.endswith(".weight") or bool(_KEPT_F32.search(name))


def _may_quantize(name: str, shape: Shape) -> bool:
    return not _stays_f32(name, shape) and not _KEPT_WIDE.search(name)


def _count_attn_v(names: list[str]) -> int:
    return sum(bool(_ATTN_V.search(name)) for name in names)


def _more(i: int, n: int) -> bool:
    """Layers that the _M mixes give more bits: the first and last eighth, and every third between."""
    return i < n // 8 or i >= 7 * n // 8 or (i - n // 8) % 3 == 2


Rule = Callable[[int, int], GgmlType | None]  # (running index, count) -> another type than the base, or None

_FFN_DOWN: Mapping[str, Rule] = {
    "Q2_K": lambda i, n: T.Q3_K,
    "Q3_K_M": lambda i, n: T.Q5_K if i < n // 16 else T.Q4_K,
    "Q3_K_L": lambda i, n: T.Q5_K,
    "Q4_K_S": lambda i, n: T.Q5_K if i < n // 8 else None,
    "Q4_K_M": lambda i, n: T.Q6_K if _more(i, n) else None,
    "Q5_K_M": lambda i, n: T.Q6_K if _more(i, n) else None,
}
_ATTN_V_RULES: Mapping[str, Rule] = {
    "Q3_K_M": lambda i, n: T.Q5_K if i < 2 else T.Q4_K,
    "Q3_K_L": lambda i, n: T.Q5_K,
    "Q4_K_S": lambda i, n: T.Q5_K if i < 4 else None,
    "Q4_K_M": lambda i, n: T.Q6_K if _more(i, n) else None,
    "Q5_K_M": lambda i, n: T.Q6_K if _more(i, n) else None,
}
_ATTN_OUTPUT = {"Q2_K": T.Q3_K, "Q3_K_M": T.Q4_K, "Q3_K_L": T.Q5_K}
_ATTN_OUTPUT_8_EXPERTS = dict.fromkeys(("Q2_K", "Q3_K_S", "Q3_K_M", "Q4_K_S", "Q4_K_M"), T.Q5_K)


class _Chooser:
    """Walks the tensors in file order; some rules count the tensors of a kind seen so far."""

    def __init__(self, file_type: FileType, model: ModelSizes, *, tied: bool, n_attn_v: int) -> None:
        self._kind = file_type
        self._model = model
        self._tied = tied
        self._n_attn_v = n_attn_v
        self._i_attn_v = 0
        self._i_ffn_down = 0

    def next_type(self, name: str, shape: Shape) -> GgmlType:
        return _fit(self._wanted(name, shape[-1]), shape[-1])

    def _wanted(self, name: str, n_columns: int) -> GgmlType:
        if name == "output.weight" or (self._tied and name in ("token_embd.weight", "per_layer_token_embd.weight")):
            return self._output(n_columns)
        if name in ("token_embd.weight", "per_layer_token_embd.weight"):
            return self._kind.base
        if _ATTN_V.search(name):
            return self._attn_v()
        if "attn_k.weight" in name and self._model.n_expert == 8:
            return T.Q8_0
        if "attn_output.weight" in name:
            table = _ATTN_OUTPUT_8_EXPERTS if self._model.n_expert == 8 else _ATTN_OUTPUT
            return table.get(self._kind.name, self._kind.base)
        if "ffn_down" in name:
            return self._ffn_down(name)
        return self._kind.base

    def _output(self, n_columns: int) -> GgmlType:
        fits = n_columns % BLOCKS[self._kind.base][0] == 0
        return T.Q6_K if fits and self._kind.base is not T.Q8_0 else T.Q8_0

    def _attn_v(self) -> GgmlType:
        index, self._i_attn_v = self._i_attn_v, self._i_attn_v + 1
        if self._model.n_expert == 8:
            return T.Q8_0
        if self._kind.name == "Q2_K":
            kind: GgmlType | None = T.Q4_K if self._model.gqa >= 4 else T.Q3_K
        else:
            rule = _ATTN_V_RULES.get(self._kind.name)
            kind = rule(index, self._n_attn_v) if rule else None
        kind = kind if kind is not None else self._kind.base
        return T.Q5_K if self._model.is_70b and kind in (T.Q3_K, T.Q4_K) else kind

    def _ffn_down(self, name: str) -> GgmlType:
        index = file_order(name)[0] if self._model.n_expert > 1 else self._i_ffn_down
        self._i_ffn_down += 1
        rule = _FFN_DOWN.get(self._kind.name)
        kind = rule(index, self._model.n_layer) if rule else None
        return kind if kind is not None else self._kind.base


def _fit(kind: GgmlType, n_columns: int) -> GgmlType:
    """Replace a type whose blocks do not divide the row by the next one that does."""
    if n_columns % BLOCKS[kind][0]:
        kind = _FALLBACK.get(kind, kind)
    return T.F16 if n_columns % BLOCKS[kind][0] else kind
