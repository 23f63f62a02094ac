"""Builds the header of a GGUF file as bytes: metadata, tensor list, padding.

Format: docs/gguf.md of ggml, version 3, little-endian; data offsets count from the padded header's end.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from converters.values import Metadata, encode_string

ALIGNMENT = 32


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
        parts += [encode_string(key), value.encoded]
    parts += [_tensor_info(tensor) for tensor in tensors]
    header = b"".join(parts)
    return header.ljust(padded(len(header)), b"\0")


def _tensor_info(tensor: TensorInfo) -> bytes:
    dims = tensor.shape[::-1]  # ggml counts the innermost dimension first
    return b"".join(
        (encode_string(tensor.name), struct.pack("<I", len(dims)), struct.pack(f"<{len(dims)}Q", *dims),
         struct.pack("<IQ", tensor.type, tensor.offset))
    )  # fmt: skip
