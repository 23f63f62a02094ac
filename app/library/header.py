"""Reads a GGUF file's header quickly and within bounds, whoever made the file.

Long arrays (a tokenizer's) are passed over. What llama.cpp's own reader refuses is refused here too, in plain words.
Source of the format and of the checks: ggml's docs/gguf.md and llama.cpp's ggml/src/gguf.cpp.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

from app.core.bytesource import ByteSource
from app.library.cursor import MAX_TEXT_BYTES, Cursor
from app.library.facts import SkippedArray, TensorInfo
from app.library.ggml_types import GGML_TYPES
from app.library.not_gguf import refuse_stranger

SHORT_ARRAY_ITEMS = 4096
MAX_VALUE_TEXT_BYTES = 1 << 20  # a longer text (an embedded tokenizer.json) is passed over
# llama.cpp reads a header item by item into memory: minutes and gigabytes for a lie of 1 GiB; real ones take 50 MB.
MAX_HEADER_BYTES = 128 << 20

_SCALARS = {
    0: struct.Struct("<B"),
    1: struct.Struct("<b"),
    2: struct.Struct("<H"),
    3: struct.Struct("<h"),
    4: struct.Struct("<I"),
    5: struct.Struct("<i"),
    6: struct.Struct("<f"),
    7: struct.Struct("<?"),
    10: struct.Struct("<Q"),
    11: struct.Struct("<q"),
    12: struct.Struct("<d"),
}
_UINT8, _UINT32, _TEXT, _ARRAY = 0, 4, 8, 9

_MAX_KEY_BYTES = 1 << 20  # the format allows 65535; llama.cpp does not mind
_MAX_NAME_BYTES = 63
_MAX_ENTRIES = 65536
_MAX_DIMENSIONS = 4
_SMALLEST_ENTRY_BYTES = 8 + 1 + 4 + 1
_SMALLEST_TENSOR_BYTES = 8 + 4 + 4 + 8
_INT64_MAX = 2**63 - 1


@dataclass(frozen=True)
class Entry:
    """Where one metadata value lies in the file (what follows its type number), so that it can be copied as it is."""

    key: str
    value_type: int
    offset_bytes: int
    size_bytes: int


@dataclass(frozen=True)
class Header:
    """A GGUF header: metadata, the tensor table, and where the tensor data begins."""

    version: int
    metadata: Mapping[str, Any]
    entries: tuple[Entry, ...]
    tensors: tuple[TensorInfo, ...]
    alignment: int
    data_offset_bytes: int


def read_header(source: ByteSource) -> Header:
    """Read and check the header of a GGUF file; raises BadFile naming the file and the fact.

    TensorInfo.offset_bytes counts from `data_offset_bytes`, as in the file.
    """
    cursor = Cursor(source)
    refuse_stranger(cursor.name, cursor.peek(512), cursor.size_bytes)
    cursor.skip(4)
    version = _version(cursor)
    n_tensors, n_entries = cursor.u64(), cursor.u64()
    _check_count(cursor, n_tensors, "tensors", _SMALLEST_TENSOR_BYTES)
    _check_count(cursor, n_entries, "metadata entries", _SMALLEST_ENTRY_BYTES)
    metadata, entries = _read_metadata(cursor, n_entries)
    alignment = _alignment(cursor, metadata, entries)
    tensors = _read_tensors(cursor, n_tensors, alignment)
    data_offset_bytes = _padded(cursor.position, alignment)
    if data_offset_bytes > MAX_HEADER_BYTES:
        raise cursor.fault(f"its header takes {data_offset_bytes} bytes; {MAX_HEADER_BYTES} are allowed")
    _check_extent(cursor, tensors, data_offset_bytes)
    return Header(version, metadata, entries, tensors, alignment, data_offset_bytes)


def _version(cursor: Cursor) -> int:
    version = cursor.u32()
    if version and version & 0xFFFF == 0:
        raise cursor.fault("it is a big-endian GGUF file, made for another kind of processor", _SWAP)
    if version not in (2, 3):
        raise cursor.fault(f"it is GGUF version {version}; versions 2 and 3 can be read")
    return version


_SWAP = "Look for the usual little-endian file of this model."


def _check_count(cursor: Cursor, count: int, what: str, smallest_bytes: int) -> None:
    if count * smallest_bytes > cursor.left_bytes:
        raise cursor.fault(f"it claims {count} {what}; the file has {cursor.size_bytes} bytes")
    if count > _MAX_ENTRIES:
        raise cursor.fault(f"it claims {count} {what}; {_MAX_ENTRIES} are allowed")


def _read_metadata(cursor: Cursor, count: int) -> tuple[dict[str, Any], tuple[Entry, ...]]:
    metadata: dict[str, Any] = {}
    entries = []
    for index in range(count):
        key = cursor.text(f"metadata key {index}", _MAX_KEY_BYTES)
        if not key:
            raise cursor.fault(f"metadata key {index} is empty")
        if key in metadata:
            raise cursor.fault(f"metadata key {key!r} stands there twice")
        value_type = cursor.u32()
        place = cursor.position
        metadata[key] = _read_value(cursor, key, value_type)
        entries.append(Entry(key, value_type, place, cursor.position - place))
    return metadata, tuple(entries)


def _read_value(cursor: Cursor, key: str, value_type: int) -> Any:
    if value_type == _TEXT:
        return _read_text(cursor, key)
    if value_type == _ARRAY:
        return _read_array(cursor, key)
    if value_type not in _SCALARS:
        raise cursor.fault(f"metadata {key!r} is of the unknown type {value_type}")
    return cursor.unpack(_SCALARS[value_type])[0]


def _read_text(cursor: Cursor, key: str) -> str | SkippedArray:
    place = cursor.position
    length = cursor.text_length(f"metadata {key!r}")
    if length > MAX_VALUE_TEXT_BYTES:
        cursor.skip(length)
        return SkippedArray(_UINT8, length, place)
    return cursor.sized_text(length)


def _read_array(cursor: Cursor, key: str) -> tuple[Any, ...] | SkippedArray:
    item_type, count, place = cursor.u32(), cursor.u64(), cursor.position
    what = f"metadata {key!r}"
    if item_type != _TEXT and item_type not in _SCALARS:
        kind = "arrays" if item_type == _ARRAY else f"items of the unknown type {item_type}"
        raise cursor.fault(f"{what} is an array of {kind}, which llama.cpp does not read")
    item_bytes = 8 if item_type == _TEXT else _SCALARS[item_type].size
    if count * item_bytes > cursor.left_bytes:
        raise cursor.fault(f"{what} claims {count} items; the file has {cursor.size_bytes} bytes")
    if count > SHORT_ARRAY_ITEMS:
        if item_type == _TEXT:
            cursor.skip_texts(count, what)
        else:
            cursor.skip(count * item_bytes)
        return SkippedArray(item_type, count, place)
    if item_type == _TEXT:
        return tuple(cursor.text(f"a text in {what}", MAX_TEXT_BYTES) for _ in range(count))
    return cursor.unpack(struct.Struct(f"<{count}{_SCALARS[item_type].format[1:]}"))


def _alignment(cursor: Cursor, metadata: Mapping[str, Any], entries: tuple[Entry, ...]) -> int:
    value = metadata.get("general.alignment", 32)
    value_type = next((entry.value_type for entry in entries if entry.key == "general.alignment"), _UINT32)
    if value_type != _UINT32:
        raise cursor.fault(f"general.alignment is of type {value_type} instead of a 32-bit number")
    if value == 0 or value & (value - 1):
        raise cursor.fault(f"its alignment is {value}, which is no power of two")
    return int(value)


def _read_tensors(cursor: Cursor, count: int, alignment: int) -> tuple[TensorInfo, ...]:
    tensors = []
    names = set()
    expected_offset = 0
    for index in range(count):
        tensor = _read_tensor(cursor, index)
        if tensor.name in names:
            raise cursor.fault(f"tensor {tensor.name!r} stands there twice")
        if tensor.offset_bytes != expected_offset:
            raise cursor.fault(
                f"tensor {tensor.name!r} lies at {tensor.offset_bytes} of the data; {expected_offset} is its place"
            )
        names.add(tensor.name)
        tensors.append(tensor)
        expected_offset += _padded(tensor.size_bytes, alignment)
    return tuple(tensors)


def _read_tensor(cursor: Cursor, index: int) -> TensorInfo:
    name = cursor.text(f"the name of tensor {index}", _MAX_NAME_BYTES)
    what = f"tensor {name!r}"
    n_dims = cursor.u32()
    if n_dims > _MAX_DIMENSIONS:
        raise cursor.fault(f"{what} has {n_dims} dimensions; {_MAX_DIMENSIONS} are allowed")
    shape = tuple(cursor.u64() for _ in range(n_dims))
    if any(size > _INT64_MAX for size in shape) or prod(max(size, 1) for size in shape) > _INT64_MAX:
        raise cursor.fault(f"{what} has more elements than can be counted: {' x '.join(map(str, shape))}")
    ggml_type, offset_bytes = cursor.u32(), cursor.u64()
    kind = GGML_TYPES.get(ggml_type)
    if kind is None:
        raise cursor.fault(f"{what} is of the unknown type {ggml_type}", _NEWER)
    row = shape[0] if shape else 1
    if row % kind.block_size:
        raise cursor.fault(f"{what} has rows of {row}, which {kind.name} cannot hold (blocks of {kind.block_size})")
    return TensorInfo(name, shape, ggml_type, offset_bytes, kind.size_bytes(shape))


_NEWER = "The file may be made by a newer llama.cpp, or be damaged: update Pronk, or download the model again."


def _check_extent(cursor: Cursor, tensors: tuple[TensorInfo, ...], data_offset_bytes: int) -> None:
    if not tensors:
        return
    end = data_offset_bytes + tensors[-1].offset_bytes + tensors[-1].size_bytes
    missing = end - cursor.size_bytes
    if missing > 0:
        raise cursor.cut_short(
            f"its tensors end at byte {end} but the file has {cursor.size_bytes} bytes: {missing} bytes are missing"
        )


def _padded(size_bytes: int, alignment: int) -> int:
    return (size_bytes + alignment - 1) // alignment * alignment
