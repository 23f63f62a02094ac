"""A plain reader of whole GGUF files for tests: metadata, tensor list and data; trusts its file."""

import math
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gguf

_SCALARS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}


@dataclass(frozen=True)
class Tensor:
    """Shape is outermost first; start counts from the file's begin."""

    type: gguf.GGMLQuantizationType
    shape: tuple[int, ...]
    start: int
    size_bytes: int


@dataclass
class GgufFile:
    """What one file holds, tensors in file order; value_types are names, as "UINT32" or "ARRAY:STRING"."""

    path: Path
    metadata: dict[str, Any] = field(default_factory=dict)
    value_types: dict[str, str] = field(default_factory=dict)
    tensors: dict[str, Tensor] = field(default_factory=dict)

    def data(self, name: str) -> bytes:
        """Give the bytes of a tensor."""
        tensor = self.tensors[name]
        with self.path.open("rb") as file:
            file.seek(tensor.start)
            return file.read(tensor.size_bytes)


class _Cursor:
    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def number(self, form: str) -> Any:
        (value,) = struct.unpack_from(form, self.data, self.at)
        self.at += struct.calcsize(form)
        return value

    def string(self) -> str:
        length = self.number("<Q")
        self.at += length
        return self.data[self.at - length : self.at].decode()

    def value(self, kind: int) -> tuple[str, Any]:
        if kind != 9:
            return gguf.GGUFValueType(kind).name, self.scalar(kind)
        item, count = self.number("<I"), self.number("<Q")
        return f"ARRAY:{gguf.GGUFValueType(item).name}", [self.scalar(item) for _ in range(count)]

    def scalar(self, kind: int) -> Any:
        return self.string() if kind == 8 else self.number(_SCALARS[kind])


def read_gguf(path: Path) -> GgufFile:
    """Read a little-endian file of version 3 with the usual alignment."""
    cursor = _Cursor(path.read_bytes())
    assert cursor.data[:4] == b"GGUF"
    cursor.at = 8
    n_tensors, n_values = cursor.number("<Q"), cursor.number("<Q")
    file = GgufFile(path)
    for _ in range(n_values):
        name = cursor.string()
        assert name not in file.metadata, f"{name} stands twice"
        file.value_types[name], file.metadata[name] = cursor.value(cursor.number("<I"))
    infos = [(cursor.string(), *_info(cursor)) for _ in range(n_tensors)]
    data_start = -(-cursor.at // 32) * 32
    for name, shape, kind, offset in infos:
        block, block_bytes = gguf.GGML_QUANT_SIZES[kind]
        file.tensors[name] = Tensor(kind, shape, data_start + offset, math.prod(shape) // block * block_bytes)
    return file


def _info(cursor: _Cursor) -> tuple[tuple[int, ...], gguf.GGMLQuantizationType, int]:
    shape = tuple(cursor.number("<Q") for _ in range(cursor.number("<I")))[::-1]
    return shape, gguf.GGMLQuantizationType(cursor.number("<I")), cursor.number("<Q")
