"""Writes facts as a GGUF whose weights are a hole: a model of any size in a few kilobytes, good for dry runs."""

import struct
from pathlib import Path
from typing import Any

from app.library.facts import ModelFacts

ALIGNMENT = 32


def write_hollow(facts: ModelFacts, path: Path) -> Path:
    """Write the file and return its path."""
    pairs: dict[str, Any] = {
        "general.architecture": facts.architecture,
        "tokenizer.ggml.model": "none",
        **facts.metadata,
        f"{facts.architecture}.block_count": facts.n_layers,
        f"{facts.architecture}.context_length": facts.context_length,
        f"{facts.architecture}.vocab_size": facts.n_vocab,
        f"{facts.architecture}.attention.layer_norm_rms_epsilon": 1e-6,
    }
    head = [b"GGUF" + struct.pack("<IQQ", 3, len(facts.tensors), len(pairs))]
    head += [_text(key) + _value(value) for key, value in pairs.items()]
    offset = 0
    for tensor in facts.tensors:
        shape = struct.pack(f"<I{len(tensor.shape)}Q", len(tensor.shape), *tensor.shape)
        head.append(_text(tensor.name) + shape + struct.pack("<IQ", tensor.ggml_type, offset))
        offset += _aligned(tensor.size_bytes)
    header = b"".join(head)
    with path.open("wb") as file:
        file.write(header)
        file.truncate(_aligned(len(header)) + offset)
    return path


def _aligned(size_bytes: int) -> int:
    return -(-size_bytes // ALIGNMENT) * ALIGNMENT


def _text(text: str) -> bytes:
    raw = text.encode()
    return struct.pack("<Q", len(raw)) + raw


def _value(value: Any) -> bytes:
    if isinstance(value, str):
        return struct.pack("<I", 8) + _text(value)
    if isinstance(value, float):
        return struct.pack("<If", 6, value)
    return struct.pack("<II", 4, value)
