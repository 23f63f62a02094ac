"""The values that a GGUF file's metadata is made of, each with its type."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum


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


@dataclass(frozen=True)
class Value:
    """One metadata value: data is a scalar, or for an array a sequence of scalars of item_type."""

    type: ValueType
    data: Scalar | Sequence[Scalar]
    item_type: ValueType | None = None


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
