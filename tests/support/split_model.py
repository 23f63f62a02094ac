"""Cuts the tensors of a model over two files, as llama.cpp's gguf-split does; metadata stays in the first."""

import struct
from pathlib import Path

from app.core.bytesource import FileSource
from app.library.header import Header, read_header

ALIGNMENT = 32


def split_in_two(model: Path, folder: Path) -> list[Path]:
    """Write split-00001-of-00002.gguf and -00002-; gives the paths."""
    with FileSource(model) as source:
        header = read_header(source)
    data = model.read_bytes()
    half = len(header.tensors) // 2
    return [
        _write(folder / f"split-0000{number + 1}-of-00002.gguf", data, header, number, part)
        for number, part in enumerate((range(half), range(half, len(header.tensors))))
    ]


def _write(path: Path, data: bytes, header: Header, number: int, part: range) -> Path:
    pairs = [
        _text("split.no") + struct.pack("<IH", 2, number),
        _text("split.count") + struct.pack("<IH", 2, 2),
        _text("split.tensors.count") + struct.pack("<Ii", 5, len(header.tensors)),
    ]
    if number == 0:
        for entry in header.entries:
            raw = data[entry.offset_bytes : entry.offset_bytes + entry.size_bytes]
            pairs.append(_text(entry.key) + struct.pack("<I", entry.value_type) + raw)
    infos, weights = [], bytearray()
    for tensor in (header.tensors[index] for index in part):
        start = header.data_offset_bytes + tensor.offset_bytes
        shape = struct.pack(f"<I{len(tensor.shape)}Q", len(tensor.shape), *tensor.shape)
        infos.append(_text(tensor.name) + shape + struct.pack("<IQ", tensor.ggml_type, len(weights)))
        weights += _padded(data[start : start + tensor.size_bytes])
    head = b"GGUF" + struct.pack("<IQQ", 3, len(infos), len(pairs)) + b"".join(pairs + infos)
    path.write_bytes(_padded(head) + weights)
    return path


def _padded(raw: bytes) -> bytes:
    return raw + bytes(-len(raw) % ALIGNMENT)


def _text(text: str) -> bytes:
    raw = text.encode()
    return struct.pack("<Q", len(raw)) + raw
