"""Tiny models of many architectures as GGUF files whose weights are a hole: good for dry runs, a few kilobytes each.

Two sources. The goldens of the converter: real headers, made by llama.cpp's own converter. And fixtures/headers.json
for architectures without one: hyperparameters of our own choice, and the tensors that llama.cpp wants for them. It
was asked with a header without tensors, then given what "missing tensor" and "wrong shape" named, until it loaded.
"""

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import gguf

GOLDENS = Path(__file__).parents[1] / "goldens"
GROWN = Path(__file__).parents[1] / "fixtures" / "headers.json"
ALIGNMENT = 32
_FORMS = {
    "UINT8": "B", "INT8": "b", "UINT16": "H", "INT16": "h", "UINT32": "I", "INT32": "i", "FLOAT32": "f", "BOOL": "?",
    "UINT64": "Q", "INT64": "q", "FLOAT64": "d",
}  # fmt: skip


@dataclass(frozen=True)
class HollowModel:
    """A header: metadata as name -> (GGUF's type, value), tensors as (name, type, shape outermost first)."""

    name: str
    metadata: Mapping[str, tuple[str, Any]]
    tensors: Sequence[tuple[str, str, tuple[int, ...]]]

    @property
    def architecture(self) -> str:
        """As llama.cpp calls it."""
        return str(self.metadata["general.architecture"][1])

    def write(self, folder: Path) -> Path:
        """Write the file, without a tokenizer."""
        kept = {name: value for name, value in self.metadata.items() if not name.startswith("tokenizer.")}
        kept |= {
            f"{self.architecture}.vocab_size": ("UINT32", shape[0])
            for name, _, shape in self.tensors
            if name == "token_embd.weight"
        }
        return write_header(folder / f"{self.name}.gguf", kept, self.tensors)


def golden_models() -> list[HollowModel]:
    """Give the headers of the converter's goldens, their weights quantized as far as the rows allow."""
    return [_golden(path) for path in sorted(GOLDENS.glob("*.json"))]


def grown_models() -> list[HollowModel]:
    """Give the headers of architectures that no golden has."""
    return [
        HollowModel(
            name,
            {key: (value[0], value[1]) for key, value in header["metadata"].items()},
            [
                (tensor, _narrow(index, tuple(shape)) if _is_matrix(tensor, shape) else "F32", tuple(shape))
                for index, (tensor, shape) in enumerate(header["tensors"].items())
            ],
        )
        for name, header in json.loads(GROWN.read_text(encoding="utf-8")).items()
    ]


def _golden(path: Path) -> HollowModel:
    result = json.loads(path.read_text(encoding="utf-8"))["result"]
    metadata = {name: (kind, value) for name, (kind, value) in result["metadata"].items()}
    tensors = []
    for index, tensor in enumerate(result["tensors"]):
        shape = tuple(tensor["shape"])
        kind = tensor["type"] if tensor["type"] not in ("BF16", "F16") else _narrow(index, shape)
        tensors.append((tensor["name"], kind, shape))
    return HollowModel(path.stem, metadata, tensors)


def _is_matrix(name: str, shape: Sequence[int]) -> bool:
    kept = ("norm", "conv1d", "ssm_a", "ssm_d.", "time_mix_", "gate_inp")
    return name.endswith(".weight") and shape[-1] % 32 == 0 and not any(part in name for part in kept)


def _narrow(index: int, shape: tuple[int, ...]) -> str:
    """Give a type that the rows allow; neighbours differ."""
    if len(shape) < 2:
        return "F32"
    for step, kinds in ((256, ("Q4_K", "Q6_K", "Q8_0")), (32, ("Q8_0", "Q4_0", "Q5_1"))):
        if shape[-1] % step == 0:
            return kinds[index % 3]
    return "F16"


def write_header(
    path: Path, metadata: Mapping[str, tuple[str, Any]], tensors: Sequence[tuple[str, str, tuple[int, ...]]]
) -> Path:
    """Write a GGUF file of version 3 with a hole for data; gives the path."""
    pairs = {**metadata, "tokenizer.ggml.model": ("STRING", "none")}
    out = [b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(pairs))]
    out += [_string(name) + _value(kind, value) for name, (kind, value) in pairs.items()]
    offset = 0
    for name, kind, shape in tensors:
        type_ = gguf.GGMLQuantizationType[kind]
        block, block_bytes = gguf.GGML_QUANT_SIZES[type_]
        out.append(_string(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape[::-1], type_, offset))
        offset += _aligned(prod(shape) // block * block_bytes)
    header = b"".join(out)
    with path.open("wb") as file:
        file.write(header)
        file.truncate(_aligned(len(header)) + offset)
    return path


def _aligned(size_bytes: int) -> int:
    return -(-size_bytes // ALIGNMENT) * ALIGNMENT


def _string(text: str) -> bytes:
    raw = text.encode()
    return struct.pack("<Q", len(raw)) + raw


def _value(kind: str, value: Any) -> bytes:
    if not kind.startswith("ARRAY:"):
        return struct.pack("<I", gguf.GGUFValueType[kind]) + _scalar(kind, value)
    item = kind[6:]
    return struct.pack("<IIQ", gguf.GGUFValueType.ARRAY, gguf.GGUFValueType[item], len(value)) + b"".join(
        _scalar(item, one) for one in value
    )


def _scalar(kind: str, value: Any) -> bytes:
    return _string(value) if kind == "STRING" else struct.pack("<" + _FORMS[kind], value)
