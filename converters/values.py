"""The values that a GGUF file's metadata is made of, each with its type."""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from typing import Any


class ValueType(IntEnum):
    """Type numbers of GGUF metadata. Source: ggml/include/gguf.h, enum gguf_type."""

    UINT8 = 0
    INT8 = 1
    UINT16 = 2
    INT16 = 3
    UINT32 = 4
    INT32 = 5
    FLOAT32 = 6
    BOOL = 7
    STRING = 8
    ARRAY = 9
    UINT64 = 10
    INT64 = 11
    FLOAT64 = 12


Scalar = bool | int | float | str
_U32, _U64 = struct.Struct("<I"), struct.Struct("<Q")
_FORMATS = {
    ValueType.UINT8: "B", ValueType.INT8: "b", ValueType.UINT16: "H", ValueType.INT16: "h", ValueType.UINT32: "I",
    ValueType.INT32: "i", ValueType.FLOAT32: "f", ValueType.BOOL: "?", ValueType.UINT64: "Q", ValueType.INT64: "q",
    ValueType.FLOAT64: "d",
}  # fmt: skip


@dataclass(frozen=True)
class Value:
    """One metadata value: data is a scalar, or for an array a sequence of scalars of item_type."""

    type: ValueType
    data: Scalar | Sequence[Scalar]
    item_type: ValueType | None = None

    @cached_property
    def encoded(self) -> bytes:
        """The value as it stands in a file, its type first; made once, for a vocabulary goes into several files."""
        if self.type is not ValueType.ARRAY or isinstance(self.data, Scalar) or self.item_type is None:
            return _U32.pack(self.type) + _encode(self.type, [self.data])
        return struct.pack("<IIQ", self.type, self.item_type, len(self.data)) + _encode(self.item_type, self.data)


def encode_string(string: str) -> bytes:
    """Give a string as it stands in a file: its length in bytes, and UTF-8."""
    data = string.encode("utf-8", "surrogatepass")
    return _U64.pack(len(data)) + data


def _encode(kind: ValueType, items: Sequence[Any]) -> bytes:
    if kind is ValueType.STRING:
        return b"".join(map(encode_string, map(str, items)))
    return struct.pack(f"<{len(items)}{_FORMATS[kind]}", *items)


Metadata = Mapping[str, Value]


def u32(number: int) -> Value:
    """An unsigned 32-bit number."""
    return Value(ValueType.UINT32, number)


def f32(number: float) -> Value:
    """A 32-bit float."""
    return Value(ValueType.FLOAT32, number)


def flag(on: bool) -> Value:
    """A boolean."""
    return Value(ValueType.BOOL, on)


def flags(ons: Sequence[bool]) -> Value:
    """An array of booleans."""
    return Value(ValueType.ARRAY, ons, ValueType.BOOL)


def text(string: str) -> Value:
    """A UTF-8 string."""
    return Value(ValueType.STRING, string)


def texts(strings: Sequence[str]) -> Value:
    """An array of strings."""
    return Value(ValueType.ARRAY, strings, ValueType.STRING)


def i32s(numbers: Sequence[int]) -> Value:
    """An array of signed 32-bit numbers."""
    return Value(ValueType.ARRAY, numbers, ValueType.INT32)


def f32s(numbers: Sequence[float]) -> Value:
    """An array of 32-bit floats."""
    return Value(ValueType.ARRAY, numbers, ValueType.FLOAT32)
