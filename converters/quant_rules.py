"""Chooses the type of every tensor of a GGUF file, as llama.cpp's converter and then its quantizer do.

Pure. Sources: conversion/base.py, prepare_tensors, for what the converter keeps in F32; src/llama-quant.cpp,
tensor_allows_quantization, llama_tensor_get_type_impl and tensor_type_fallback, for the rest. native_check.py
compares this table with the library at run time, and the library wins.
"""

import re
from collections.abc import Callable, Mapping

from converters.quant_types import BLOCKS, UNQUANTIZED, FileType, GgmlType, ModelSizes, Shape, file_order

T = GgmlType
_FALLBACK = {
    T.Q2_K: T.Q4_0, T.Q3_K: T.Q4_0, T.Q4_K: T.Q5_0, T.Q5_K: T.Q5_1, T.Q6_K: T.Q8_0, T.IQ4_XS: T.IQ4_NL
}  # fmt: skip
_CONVERTER_KEEPS_F32 = re.compile(
    r"(.*_norm|position_embd|token_types|blk\.\d+\.("
    r"ffn_gate_inp(_shexp)?|ssm_conv1d(_[qkv])?|shortconv\.conv|altup_(correct|predict)_coef|indexer\.proj"
    r"|time_mix_(first|w1|w2|decay_w1|decay_w2|lerp_fused)))\.weight"
)
_QUANTIZER_SKIPS = re.compile(
    r"_norm\.weight|ffn_gate_inp\.weight|ffn_gate_tid2eid\.weight|altup|laurel|per_layer_model_proj|^position_embd\."
    r"|^token_types\.|ssm_conv1d|shortconv\.conv\.weight|indexer\.[kq]_proj\.weight|attn_rel_b\.weight|\.position_embd"
    r"|time_mix_(first|[wva][012]|g[12]|decay_w[12]|lerp_fused)\.weight"
)
_EMBEDDING = ("token_embd.weight", "per_layer_token_embd.weight")
_ATTN_V = re.compile(r"attn_(qkv|kv_b|v)\.weight")


def choose(
    file_type: FileType,
    model: ModelSizes,
    shapes: Mapping[str, Shape],
    wide: GgmlType,
    kept: Mapping[str, GgmlType] | None = None,
) -> dict[str, GgmlType]:
    """Give the type of each tensor, in file order.

    shapes: GGUF name to shape, outermost dimension first. wide: the type of the unquantized file that the quantizer
    would start from (quant_types.wide_type); tensors that are never quantized keep it. kept: tensors that the
    checkpoint stores in a quantized type (gpt-oss: MXFP4 experts). They keep it in every file: copying is lossless,
    while llama.cpp's quantizer refuses such a source unless it may requantize.

    The type through which a value passes on its way is choose(FILE_TYPES[wide.name], …)[name]: the two steps round
    a tensor to what the unquantized file holds, then quantize."""
    names = sorted(shapes, key=file_order)
    if file_type.name in UNQUANTIZED:
        types = {name: T.F32 if _stays_f32(name, shapes[name]) else file_type.base for name in names}
    else:
        chooser = _Chooser(file_type, model, names)
        types = {
            name: chooser.next_type(name, shapes[name])
            if _may_quantize(name, shapes[name])
            else (T.F32 if _stays_f32(name, shapes[name]) else wide)
            for name in names
        }
    return types | dict(kept or {})


def _stays_f32(name: str, shape: Shape) -> bool:
    return len(shape) < 2 or not name.endswith(".weight") or bool(_CONVERTER_KEEPS_F32.fullmatch(name))


def _may_quantize(name: str, shape: Shape) -> bool:
    is_matrix = any(length > 1 for length in shape[:-1])  # ggml counts no dimensions of one beyond the first
    return is_matrix and name.endswith("weight") and not _QUANTIZER_SKIPS.search(name)


def _more(i: int, n: int) -> bool:
    """Layers that the _M mixes give more bits: the first and last eighth, and every third between."""
    return i < n // 8 or i >= 7 * n // 8 or (i - n // 8) % 3 == 2


Rule = Callable[[int, int, int], GgmlType | None]  # (index, count, gqa) -> another type than the base, or None

_FFN_DOWN: Mapping[str, Rule] = {
    "Q2_K": lambda i, n, gqa: T.Q3_K,
    "Q3_K_M": lambda i, n, gqa: T.Q5_K if i < n // 16 else T.Q4_K,
    "Q3_K_L": lambda i, n, gqa: T.Q5_K,
    "IQ4_XS": lambda i, n, gqa: T.Q5_K if i < n // 8 else None,
    "IQ4_NL": lambda i, n, gqa: T.Q5_K if i < n // 8 else None,
    "Q4_K_S": lambda i, n, gqa: T.Q5_K if i < n // 8 else None,
    "Q4_K_M": lambda i, n, gqa: T.Q6_K if _more(i, n) else None,
    "Q5_K_M": lambda i, n, gqa: T.Q6_K if _more(i, n) else None,
}
_ATTN_V_RULES: Mapping[str, Rule] = {
    "Q2_K": lambda i, n, gqa: T.Q4_K if gqa >= 4 else T.Q3_K,
    "Q3_K_M": lambda i, n, gqa: T.Q5_K if i < 2 else T.Q4_K,
    "Q3_K_L": lambda i, n, gqa: T.Q5_K,
    "IQ4_XS": lambda i, n, gqa: T.Q5_K if gqa >= 4 else None,
    "IQ4_NL": lambda i, n, gqa: T.Q5_K if gqa >= 4 else None,
    "Q4_K_S": lambda i, n, gqa: T.Q5_K if i < 4 else None,
    "Q4_K_M": lambda i, n, gqa: T.Q6_K if _more(i, n) else None,
    "Q5_K_M": lambda i, n, gqa: T.Q6_K if _more(i, n) else None,
}
_ATTN_OUTPUT = {"Q2_K": T.Q3_K, "Q3_K_M": T.Q4_K, "Q3_K_L": T.Q5_K}
_ATTN_OUTPUT_8_EXPERTS = dict.fromkeys(("Q2_K", "Q3_K_S", "Q3_K_M", "IQ4_XS", "IQ4_NL", "Q4_K_S", "Q4_K_M"), T.Q5_K)


class _Chooser:
    """Walks the tensors in file order; some rules count the tensors of a kind seen so far."""

    def __init__(self, file_type: FileType, model: ModelSizes, names: list[str]) -> None:
        self._kind = file_type
        self._model = model
        self._tied = "output.weight" not in names
        self._n_attn_v = sum(bool(_ATTN_V.search(name)) for name in names)
        self._i_attn_v = 0
        self._i_ffn_down = 0

    def next_type(self, name: str, shape: Shape) -> GgmlType:
        return _fit(self._wanted(name, shape[-1]), shape[-1])

    def _wanted(self, name: str, n_columns: int) -> GgmlType:
        if name == "output.weight" or (self._tied and name in _EMBEDDING):
            return self._output(n_columns)
        if name in _EMBEDDING:
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
        kind = self._by_rule(_ATTN_V_RULES, index, self._n_attn_v)
        return T.Q5_K if self._model.is_70b and kind in (T.Q3_K, T.Q4_K) else kind

    def _ffn_down(self, name: str) -> GgmlType:
        index, self._i_ffn_down = self._i_ffn_down, self._i_ffn_down + 1
        if self._model.n_expert > 1:  # several a block, or none: the block's number counts
            index = file_order(name)[0]
        return self._by_rule(_FFN_DOWN, index, self._model.n_layer)

    def _by_rule(self, rules: Mapping[str, Rule], index: int, count: int) -> GgmlType:
        rule = rules.get(self._kind.name)
        kind = rule(index, count, self._model.gqa) if rule else None
        return self._kind.base if kind is None else kind


def _fit(kind: GgmlType, n_columns: int) -> GgmlType:
    """Replace a type whose blocks do not divide the row by the next one that does."""
    if n_columns % BLOCKS[kind][0]:
        kind = _FALLBACK.get(kind, kind)
    return T.F16 if n_columns % BLOCKS[kind][0] else kind
