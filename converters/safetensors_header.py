"""Reads the header of one safetensors file and refuses every header that lies about its file.

Format: 8 bytes little-endian header length, that many bytes of JSON (name -> dtype, shape, data_offsets counted from
the header's end), then the data. Source: github.com/huggingface/safetensors, README, "Format".
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from converters.errors import BadCheckpoint
from converters.jsonfile import parse_object, refuse_lfs_pointer

MAX_HEADER_BYTES = 100_000_000  # the limit of the reference implementation
MAX_TENSORS = 1_000_000
MAX_DIMS = 8
DTYPE_BYTES = {
    "F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U64": 8, "U32": 4, "U16": 2,
    "U8": 1, "BOOL": 1, "F8_E4M3": 1, "F8_E5M2": 1,
}  # fmt: skip


@dataclass(frozen=True)
class StoredTensor:
    """Where one tensor of the checkpoint lies: its file, byte range, type and shape (outermost first)."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    path: Path
    offset: int
    size_bytes: int

    @property
    def item_bytes(self) -> int:
        """Bytes of one value."""
        return DTYPE_BYTES[self.dtype]


def read_header(path: Path) -> tuple[StoredTensor, ...]:
    """Read the tensor list of a file, in file order; raises BadCheckpoint with the file's and the tensor's name."""
    try:
        with path.open("rb") as file:
            file_bytes = path.stat().st_size
            beginning = file.read(8)
            refuse_lfs_pointer(beginning, path.name)
            length = int.from_bytes(beginning, "little")
            _check_length(path, length, file_bytes)
            header = parse_object(file.read(length), f"The header of {path.name}", unique=True)
    except OSError as error:
        raise BadCheckpoint(f"Cannot read {path}: {error.strerror}.") from error
    header.pop("__metadata__", None)
    if len(header) > MAX_TENSORS:
        raise BadCheckpoint(f"{path.name} claims {len(header):,} tensors.")
    tensors = [_tensor(path, name, entry, 8 + length) for name, entry in header.items()]
    tensors.sort(key=lambda tensor: (tensor.offset, tensor.size_bytes))  # an empty one takes no place
    _check_ranges(path, tensors, file_bytes)
    return tuple(tensors)


def _check_length(path: Path, length: int, file_bytes: int) -> None:
    if file_bytes < 8 or length > file_bytes - 8 or length > MAX_HEADER_BYTES:
        raise BadCheckpoint(
            f"{path.name} is cut short or no safetensors file: its header claims {length:,} bytes, "
            f"the file has {file_bytes:,}.",
            hint="Download the file again.",
        )


def _tensor(path: Path, name: str, entry: Any, data_start: int) -> StoredTensor:
    try:
        dtype, shape, (begin, end) = entry["dtype"], tuple(entry["shape"]), entry["data_offsets"]
        whole = all(type(number) is int and number >= 0 for number in (*shape, begin, end))
        sound = whole and len(shape) <= MAX_DIMS and math.prod(shape) * DTYPE_BYTES[dtype] == end - begin
    except (KeyError, TypeError, ValueError) as error:
        raise BadCheckpoint(f"{path.name}: the entry of tensor {name!r} is malformed.") from error
    if not sound:
        raise BadCheckpoint(
            f"{path.name}: tensor {name!r} of shape {list(shape)} does not fill its bytes {begin}..{end}."
        )
    return StoredTensor(name, dtype, shape, path, data_start + begin, end - begin)


def _check_ranges(path: Path, tensors: Iterable[StoredTensor], file_bytes: int) -> None:
    tensors = list(tensors)
    for before, after in pairwise(tensors):
        if before.offset + before.size_bytes > after.offset:
            raise BadCheckpoint(f"{path.name}: tensors {before.name!r} and {after.name!r} overlap.")
    if tensors and (end := tensors[-1].offset + tensors[-1].size_bytes) > file_bytes:
        raise BadCheckpoint(
            f"{path.name} is cut short: tensor {tensors[-1].name!r} ends at byte {end:,}, the file has {file_bytes:,}.",
            hint="Download the file again.",
        )
