"""Small models without sense that llama.cpp computes with as with any other: their weights are noise.

Zeros would be written faster, and are computed faster than any real model: block scales are looked up in a table, which
costs more when they differ (SmolLM2 Q4_1, one thread: 8.0 ms a token with zeros, 11.3 with noise, 12.7 with its own
weights).
"""

import ctypes
import os
import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import BinaryIO

from app.core.errors import NotEnoughDisk
from app.llama.bindings import load_ggml

ARCHITECTURE = "llama"
ALIGNMENT = 32
N_VOCAB = 256
N_CTX = 2048
F32, F16 = 0, 1
UINT32, FLOAT32, STRING = 4, 6, 8  # gguf.h, gguf_type
HEAD_SIZE = 64
BF16 = 30
NOISE_BYTES = 1 << 20
# High bytes of 16-bit numbers. Half-precision ones of 0.016 to 0.06: block scales are such, wherever they stand in a
# block, and a model's spread over about two octaves (seen in SmolLM2 and Gemma 3), of either sign but in these types:
POSITIVE_TYPES = frozenset({8, 10, 12, 13})  # Q8_0, Q2_K, Q4_K, Q5_K
POSITIVE_HIGH = tuple(range(0x24, 0x2C))
HALF_HIGH = (*POSITIVE_HIGH, *range(0xA4, 0xAC))
# bfloat16 and float32 ones of 0.008 to 2.
BFLOAT_HIGH = (*range(0x3C, 0x40), *range(0xBC, 0xC0))

Tensor = tuple[str, tuple[int, ...], int]
"""Name, dimensions with the row's length first, ggml's number of the type."""


@dataclass(frozen=True)
class Shape:
    """The sizes of a Llama-like model; all weights of its layers have the type `ggml_type`."""

    n_layers: int
    n_embd: int
    n_ff: int
    n_heads: int
    n_kv_heads: int
    ggml_type: int

    def weights(self) -> Iterator[tuple[str, tuple[int, int]]]:
        """Yield name and dimensions of one layer's matrices, the feed-forward ones last."""
        queries, keys = self.n_heads * HEAD_SIZE, self.n_kv_heads * HEAD_SIZE
        yield "attn_q", (self.n_embd, queries)
        yield "attn_k", (self.n_embd, keys)
        yield "attn_v", (self.n_embd, keys)
        yield "attn_output", (queries, self.n_embd)
        yield "ffn_gate", (self.n_embd, self.n_ff)
        yield "ffn_up", (self.n_embd, self.n_ff)
        yield "ffn_down", (self.n_ff, self.n_embd)

    @property
    def layer_parameters(self) -> int:
        """Weights of one layer."""
        return sum(prod(dimensions) for _, dimensions in self.weights())

    @property
    def prompt_parameters(self) -> int:
        """Weights each token of a prompt meets: the last layer's feed-forward part sees the last token only."""
        return self.n_layers * self.layer_parameters - 3 * self.n_embd * self.n_ff

    @property
    def layer_bytes(self) -> int:
        """Bytes of one layer's matrices."""
        return sum(_tensor_bytes(dimensions, self.ggml_type) for _, dimensions in self.weights())


def write_noise_model(shape: Shape, path: Path) -> None:
    """Write the model: a header, then noise; raises NotEnoughDisk."""
    tensors, pairs = list(_tensors(shape)), _pairs(shape)
    parts = [b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(pairs)), *pairs]
    offset = 0
    for name, dimensions, kind in tensors:
        count = len(dimensions)
        parts.append(_text(name) + struct.pack(f"<I{count}QIQ", count, *dimensions, kind, offset))
        offset += _aligned(_tensor_bytes(dimensions, kind))
    header = b"".join(parts)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            file.write(header)
            file.write(b"\0" * (_aligned(len(header)) - len(header)))
            _write_noise(file, tensors)
    except OSError as error:
        raise NotEnoughDisk(
            f"Cannot write {path} ({error.strerror or error}).", hint="Free some space, or choose another home."
        ) from error


def _write_noise(file: BinaryIO, tensors: Iterable[Tensor]) -> None:
    noise = {high: _noise(high) for high in (POSITIVE_HIGH, HALF_HIGH, BFLOAT_HIGH)}
    for _, dimensions, kind in tensors:
        left = _aligned(_tensor_bytes(dimensions, kind))
        piece = noise[_high_bytes(kind)]
        while left > 0:
            left -= file.write(piece[: min(left, len(piece))])


def _high_bytes(kind: int) -> tuple[int, ...]:
    if kind in (F32, BF16):
        return BFLOAT_HIGH
    return POSITIVE_HIGH if kind in POSITIVE_TYPES else HALF_HIGH


def _noise(high: Sequence[int]) -> bytes:
    """Return random 16-bit numbers whose high bytes are of `high`."""
    table = bytes(high[index % len(high)] for index in range(256))
    noise = bytearray(NOISE_BYTES)
    noise[0::2] = os.urandom(NOISE_BYTES // 2)
    noise[1::2] = os.urandom(NOISE_BYTES // 2).translate(table)
    return bytes(noise)


def _tensors(shape: Shape) -> Iterator[Tensor]:
    yield "token_embd.weight", (shape.n_embd, N_VOCAB), F16
    yield "output_norm.weight", (shape.n_embd,), F32
    for layer in range(shape.n_layers):
        for norm in ("attn_norm", "ffn_norm"):
            yield f"blk.{layer}.{norm}.weight", (shape.n_embd,), F32
        for name, dimensions in shape.weights():
            yield f"blk.{layer}.{name}.weight", dimensions, shape.ggml_type


def _pairs(shape: Shape) -> list[bytes]:
    def text(key: str, value: str) -> bytes:
        return _text(key) + struct.pack("<I", STRING) + _text(value)

    numbers = {
        "block_count": shape.n_layers,
        "context_length": N_CTX,
        "embedding_length": shape.n_embd,
        "feed_forward_length": shape.n_ff,
        "attention.head_count": shape.n_heads,
        "attention.head_count_kv": shape.n_kv_heads,
        "attention.key_length": HEAD_SIZE,
        "attention.value_length": HEAD_SIZE,
        "rope.dimension_count": HEAD_SIZE,
        "vocab_size": N_VOCAB,
    }
    epsilon = f"{ARCHITECTURE}.attention.layer_norm_rms_epsilon"
    return [
        text("general.architecture", ARCHITECTURE),
        text("tokenizer.ggml.model", "none"),
        _text(epsilon) + struct.pack("<If", FLOAT32, 1e-6),
        *(_text(f"{ARCHITECTURE}.{key}") + struct.pack("<II", UINT32, value) for key, value in numbers.items()),
    ]


def _tensor_bytes(dimensions: tuple[int, ...], kind: int) -> int:
    row_size = load_ggml("ggml-base").ggml_row_size
    row_size.restype, row_size.argtypes = ctypes.c_size_t, [ctypes.c_int, ctypes.c_int64]
    return int(row_size(kind, dimensions[0])) * prod(dimensions[1:])


def _aligned(size_bytes: int) -> int:
    return -(-size_bytes // ALIGNMENT) * ALIGNMENT


def _text(text: str) -> bytes:
    raw = text.encode()
    return struct.pack("<Q", len(raw)) + raw
