"""The types that tensors and files can have, and their sizes; quant_rules.py chooses among them."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

from converters.safetensors_header import StoredTensor
from converters.values import Metadata

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
    IQ4_NL = 20
    IQ4_XS = 23
    BF16 = 30
    MXFP4 = 39


T = GgmlType

# elements in a block, bytes of a block. Source: ggml/src/ggml-common.h
BLOCKS: Mapping[GgmlType, tuple[int, int]] = {
    T.F32: (1, 4), T.F16: (1, 2), T.BF16: (1, 2),
    T.Q4_0: (32, 18), T.Q4_1: (32, 20), T.Q5_0: (32, 22), T.Q5_1: (32, 24), T.Q8_0: (32, 34),
    T.Q2_K: (256, 84), T.Q3_K: (256, 110), T.Q4_K: (256, 144), T.Q5_K: (256, 176), T.Q6_K: (256, 210),
    T.IQ4_NL: (32, 18), T.IQ4_XS: (256, 136), T.MXFP4: (32, 17),
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
        FileType("Q3_K_L", 13, T.Q3_K), FileType("IQ4_XS", 30, T.IQ4_XS), FileType("IQ4_NL", 25, T.IQ4_NL),
        FileType("Q4_0", 2, T.Q4_0), FileType("Q4_1", 3, T.Q4_1), FileType("Q4_K_S", 14, T.Q4_K),
        FileType("Q4_K_M", 15, T.Q4_K), FileType("Q5_0", 8, T.Q5_0), FileType("Q5_1", 9, T.Q5_1),
        FileType("Q5_K_S", 16, T.Q5_K), FileType("Q5_K_M", 17, T.Q5_K), FileType("Q6_K", 18, T.Q6_K),
    )
}  # fmt: skip
UNQUANTIZED = ("F32", "F16", "BF16")
_MXFP4_MOE = 38  # LLAMA_FTYPE_MOSTLY_MXFP4_MOE


@dataclass(frozen=True)
class ModelSizes:
    """What the chooser needs to know about a model.

    n_layer: all blocks, those of next-token prediction (n_layer_nextn) included. n_head, n_head_kv: of block 0."""

    architecture: str
    n_layer: int
    n_head: int
    n_head_kv: int
    n_expert: int = 0
    n_layer_nextn: int = 0

    @property
    def gqa(self) -> int:
        """Heads that share one key-value head; 0 where block 0 has none."""
        return self.n_head // self.n_head_kv if self.n_head_kv else 0

    @property
    def is_70b(self) -> bool:
        """True for the layer counts that llama.cpp calls "70B" (src/models/*.cpp, LLM_TYPE_70B)."""
        n_layer = self.n_layer - self.n_layer_nextn
        if self.architecture == "llama":
            return n_layer == 80 and self.n_head != self.n_head_kv
        return (self.architecture, n_layer) in {("qwen2", 80), ("deci", 80), ("olmo", 80), ("jais2", 68)}


def sizes_from_metadata(metadata: Metadata) -> ModelSizes:
    """Read the sizes off a file's metadata, as the library does (src/llama-model.cpp: load_hparams)."""
    architecture = str(metadata["general.architecture"].data)

    def first(key: str, default: int) -> int:
        value = metadata.get(f"{architecture}.{key}")
        data = default if value is None else value.data
        return _as_int(data[0] if isinstance(data, Sequence) and not isinstance(data, str) else data)

    n_head = first("attention.head_count", 0)
    return ModelSizes(
        architecture,
        first("block_count", 0),
        n_head,
        first("attention.head_count_kv", n_head),
        first("expert_count", 0),
        first("nextn_predict_layers", 0),
    )


def _as_int(data: object) -> int:
    assert isinstance(data, int)
    return data


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


def wide_type(stored: Iterable[StoredTensor]) -> GgmlType:
    """Give the type that "auto" means for a checkpoint: that of its first 16-bit matrix, else F16.

    First: file by file, within a file by name. An F32 matrix decides nothing: a checkpoint with no other passes
    through F16 on its way to a quantized type. Source: conversion/base.py, ModelBase.__init__; gguf-py,
    SafetensorsLocal."""
    for tensor in sorted(stored, key=lambda tensor: (tensor.path.name, tensor.name)):
        if len(tensor.shape) > 1 and tensor.dtype in ("BF16", "F16"):
            return GgmlType[tensor.dtype]
    return T.F16


def header_number(file_type: FileType, types: Iterable[GgmlType]) -> int:
    """Give general.file_type: an unquantized file that keeps MXFP4 experts says so.

    Source: conversion/base.py, prepare_metadata."""
    return _MXFP4_MOE if file_type.name in UNQUANTIZED and T.MXFP4 in types else file_type.number
