"""Builds the header of a GGUF file as bytes: metadata, tensor list, padding.

Format: docs/gguf.md of ggml, version 3, little-endian; data offsets count from the padded header's end.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from converters.values import Metadata, Scalar, Value, ValueType

ALIGNMENT = 32
_FORMATS = {
    ValueType.UINT8: "<B", ValueType.INT8: "<b", ValueType.UINT16: "<H", ValueType.INT16: "<h", ValueType.UINT32: "<I",
    ValueType.INT32: "<i", ValueType.FLOAT32: "<f", ValueType.BOOL: "<?", ValueType.UINT64: "<Q", ValueType.INT64: "<q",
    ValueType.FLOAT64: "<d",
}  # fmt: skip


@dataclass(frozen=True)
class TensorInfo:
    """One entry of the tensor list: shape is outermost first, type a ggml type number, offset in the data section."""

    name: str
    shape: tuple[int, ...]
    type: int
    offset: int


def padded(size_bytes: int) -> int:
    """Round up to the file's alignment."""
    return -(-size_bytes // ALIGNMENT) * ALIGNMENT


def encode_header(metadata: Metadata, tensors: Sequence[TensorInfo]) -> bytes:
    """Build everything that stands before the tensor data, padded to the alignment."""
    parts = [b"GGUF", struct.pack("<IQQ", 3, len(tensors), len(metadata))]
    for key, value in metadata.items():
        parts += [_string(key), _value(value)]
    parts += [_tensor_info(tensor) for tensor in tensors]
    header = b"".join(parts)
    return header.ljust(padded(len(header)), b"\0")


def _string(string: str) -> bytes:
    data = string.encode("utf-8", "surrogatepass")
    return struct.pack("<Q", len(data)) + data


def _scalar(kind: ValueType, data: Scalar) -> bytes:
    return _string(str(data)) if kind is ValueType.STRING else struct.pack(_FORMATS[kind], data)


def _value(value: Value) -> bytes:
    if value.type is not ValueType.ARRAY or isinstance(value.data, Scalar) or value.item_type is None:
        assert isinstance(value.data, Scalar)
        return struct.pack("<I", value.type) + _scalar(value.type, value.data)
    kind = value.item_type
    head = struct.pack("<IIQ", value.type, kind, len(value.data))
    return head + b"".join(_scalar(kind, item) for item in value.data)


def _tensor_info(tensor: TensorInfo) -> bytes:
    dims = tensor.shape[::-1]  # ggml counts the innermost dimension first
    return b"".join(
        (_string(tensor.name), struct.pack("<I", len(dims)), struct.pack(f"<{len(dims)}Q", *dims),
         struct.pack("<IQ", tensor.type, tensor.offset))
    )  # fmt: skip
