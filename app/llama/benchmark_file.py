"""Small models without content that llama.cpp computes with as with any other: their weights are a hole, all zeros.

Zeros cost what other numbers cost: nothing in ggml's kernels looks at values (measured: SmolLM2's weights and zeros of
the same shapes and types write equally fast).
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path

from app.core.errors import NotEnoughDisk
from app.llama.bindings import load_ggml

ARCHITECTURE = "llama"
ALIGNMENT = 32
N_VOCAB = 256
N_CTX = 2048
F32, F16 = 0, 1
UINT32, FLOAT32, STRING = 4, 6, 8  # gguf.h, gguf_type
HEAD_SIZE = 64

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


def write_hollow_model(shape: Shape, path: Path) -> None:
    """Write the model: a header, and a hole in the place of its weights; raises NotEnoughDisk."""
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
            file.truncate(_aligned(len(header)) + offset)
    except OSError as error:
        raise NotEnoughDisk(
            f"Cannot write {path} ({error.strerror or error}).", hint="Free some space, or choose another home."
        ) from error


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
    import ctypes

    row_size = load_ggml("ggml-base").ggml_row_size
    row_size.restype, row_size.argtypes = ctypes.c_size_t, [ctypes.c_int, ctypes.c_int64]
    return int(row_size(kind, dimensions[0])) * prod(dimensions[1:])


def _aligned(size_bytes: int) -> int:
    return -(-size_bytes // ALIGNMENT) * ALIGNMENT


def _text(text: str) -> bytes:
    raw = text.encode()
    return struct.pack("<Q", len(raw)) + raw
