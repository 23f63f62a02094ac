"""A model's skeleton: its header without the tokenizer, and a hole where the weights were.

llama.cpp's dry run gives the same bytes for it as for the model, in milliseconds, since reading a tokenizer takes most
of a load's time. The file is sparse: 20 to 70 KB on disk for a model of any size.
"""

import hashlib
import re
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from app.core.errors import BadFile, NotEnoughDisk
from app.core.sparse import write_sparse

MAGIC = b"GGUF"
ALIGNMENT = 32
STRING, ARRAY = 8, 9
UINT32 = 4
# GGUF value type -> bytes (ggml/include/gguf.h).
SCALAR_BYTES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
MOST_ENTRIES = 1_000_000
FIRST_READ_BYTES = 1 << 20
MOST_HEADER_BYTES = 1 << 28
KEPT_SKELETONS = 64
VERSION = "2"  # part of a cached skeleton's name: raise it when what is written here changes


@dataclass(frozen=True)
class _Part:
    """One file's header: raw key-value pairs kept, tensors as (name, dimensions, type, offset), where data starts."""

    pairs: tuple[tuple[bytes, bytes], ...]
    architecture: str
    n_vocab: int
    n_parts: int
    tensors: tuple[tuple[bytes, tuple[int, ...], int, int], ...]
    data_bytes: int


class _Reader:
    """Walks a header in memory, reading more of the file as it is needed."""

    def __init__(self, file: BinaryIO, size_bytes: int) -> None:
        self._file = file
        self.size_bytes = size_bytes
        self._data = file.read(FIRST_READ_BYTES)
        self.place = 0

    def need(self, length: int) -> int:
        """Make sure of `length` bytes and pass over them; returns where they start."""
        start, end = self.place, self.place + length
        if end > len(self._data):
            if end > min(self.size_bytes, MOST_HEADER_BYTES):
                raise BadFile("The model's header is cut off.", hint="Download or convert the model again.")
            self._data += self._file.read(max(end - len(self._data), len(self._data)))
        self.place = end
        return start

    def unpack(self, form: str) -> tuple[int, ...]:
        """Return the next little-endian numbers."""
        start = self.need(struct.calcsize("<" + form))
        return struct.unpack_from("<" + form, self._data, start)

    def number(self, form: str) -> int:
        """Return the next number."""
        return self.unpack(form)[0]

    def string(self) -> bytes:
        """Return the next string."""
        length = self.number("Q")
        start = self.need(length)
        return self._data[start : start + length]

    def since(self, start: int) -> bytes:
        """Return the raw bytes from `start` to here."""
        return self._data[start : self.place]

    def skip_strings(self, count: int) -> None:
        """Pass over `count` strings."""
        data, place, end = self._data, self.place, len(self._data)
        unpack = struct.Struct("<Q").unpack_from
        for _ in range(count):
            if place + 8 > end:
                self.place = place
                self.need(8)
                data, end = self._data, len(self._data)
            place += 8 + unpack(data, place)[0]
            if place > end:
                self.place = place
                self.need(0)
                data, end = self._data, len(self._data)
        self.place = place


def skeleton_of(model: Path, folder: Path) -> Path:
    """Return the skeleton of a model file, from `folder` when it was made before; a split model needs its first file.

    Raises BadFile for a file that is no GGUF, NotEnoughDisk when the folder cannot be written.
    """
    try:
        status = model.stat()
    except OSError as error:
        raise BadFile(f"Cannot open {model} ({error.strerror}).", hint="Check the path.") from error
    key = f"{VERSION}|{model.resolve()}|{status.st_size}|{status.st_mtime_ns}"
    target = folder / f"{hashlib.sha256(key.encode()).hexdigest()[:24]}.gguf"
    if not target.exists():
        _write(target, _build(_parts(model)))
    return target


def _parts(model: Path) -> list[_Part]:
    first = _read_part(model)
    match = re.fullmatch(r"(.+)-00001-of-(\d{5})", model.stem)
    if first.n_parts < 2 or match is None:
        return [first]
    names = [f"{match[1]}-{number:05d}-of-{match[2]}.gguf" for number in range(2, first.n_parts + 1)]
    return [first, *(_read_part(model.with_name(name)) for name in names)]


def _read_part(path: Path) -> _Part:
    try:
        with path.open("rb") as file:
            return _walk(_Reader(file, path.stat().st_size))
    except OSError as error:
        raise BadFile(f"Cannot open {path} ({error.strerror}).", hint="Check the path.") from error
    except struct.error as error:
        raise BadFile(f"{path} is damaged: its header is cut off.", hint="Download it again.") from error


def _walk(reader: _Reader) -> _Part:
    if reader.since(reader.need(4)) != MAGIC or reader.number("I") not in (2, 3):
        raise BadFile("This is no GGUF model file.", hint="Choose a .gguf file.")
    n_tensors, n_pairs = reader.unpack("QQ")
    if max(n_tensors, n_pairs) > MOST_ENTRIES:
        raise BadFile(f"The model's header claims {n_tensors} tensors and {n_pairs} values.", hint="It is damaged.")
    pairs: list[tuple[bytes, bytes]] = []
    architecture, n_vocab, n_parts, alignment = "", 0, 1, ALIGNMENT
    for _ in range(n_pairs):
        key = reader.string()
        start = reader.place
        length = _skip_value(reader)
        raw = b"" if key.startswith(b"tokenizer.") else reader.since(start)
        if key == b"general.architecture":
            architecture = raw[12:].decode()
        elif key == b"tokenizer.ggml.tokens":
            n_vocab = length
        elif key == b"split.count":
            n_parts = int.from_bytes(raw[4:], "little")
        elif key == b"general.alignment":
            alignment = int.from_bytes(raw[4:], "little") or ALIGNMENT
        if raw and not key.startswith(b"split."):
            pairs.append((key, raw))
    tensors = tuple(_tensor(reader) for _ in range(n_tensors))
    data_start = -(-reader.place // alignment) * alignment
    return _Part(tuple(pairs), architecture, n_vocab, n_parts, tensors, max(0, reader.size_bytes - data_start))


def _skip_value(reader: _Reader) -> int:
    """Pass over a value with its type; returns an array's length, else 0."""
    kind = reader.number("I")
    if kind == STRING:
        reader.need(reader.number("Q"))
        return 0
    if kind != ARRAY:
        reader.need(_scalar_bytes(kind))
        return 0
    item, length = reader.unpack("IQ")
    if length > reader.size_bytes:
        raise BadFile(f"The model's header claims an array of {length} items.", hint="It is damaged.")
    if item == STRING:
        reader.skip_strings(length)
    else:
        reader.need(_scalar_bytes(item) * length)
    return length


def _scalar_bytes(kind: int) -> int:
    if kind not in SCALAR_BYTES:
        raise BadFile(f"The model's header holds a value of unknown type {kind}.", hint="It is damaged or too new.")
    return SCALAR_BYTES[kind]


def _tensor(reader: _Reader) -> tuple[bytes, tuple[int, ...], int, int]:
    name = reader.string()
    n_dimensions = reader.number("I")
    if n_dimensions > 4:
        raise BadFile(f"The model's tensor {name!r} has {n_dimensions} dimensions.", hint="The file is damaged.")
    dimensions = reader.unpack(f"{n_dimensions}Q")
    kind, offset = reader.unpack("IQ")
    return name, dimensions, kind, offset


def _build(parts: list[_Part]) -> tuple[bytes, int]:
    """Return the skeleton's header and its whole length; tensors of later parts follow those of the first."""
    first = parts[0]
    vocabulary = f"{first.architecture}.vocab_size".encode()
    pairs = [(key, raw) for key, raw in first.pairs if key not in (vocabulary, b"general.alignment")]
    pairs.append((b"tokenizer.ggml.model", struct.pack("<I", STRING) + _string(b"none")))
    n_vocab = first.n_vocab or _number_at(first, vocabulary)
    if n_vocab:
        pairs.append((vocabulary, struct.pack("<II", UINT32, n_vocab)))
    tensors, base = [], 0
    for part in parts:
        tensors += [(name, dims, kind, base + offset) for name, dims, kind, offset in part.tensors]
        base += -(-part.data_bytes // ALIGNMENT) * ALIGNMENT
    header = b"".join(
        [
            MAGIC + struct.pack("<IQQ", 3, len(tensors), len(pairs)),
            *(_string(key) + raw for key, raw in pairs),
            *(
                _string(name) + struct.pack(f"<I{len(dims)}QIQ", len(dims), *dims, kind, offset)
                for name, dims, kind, offset in tensors
            ),
        ]
    )
    return header, -(-len(header) // ALIGNMENT) * ALIGNMENT + base


def _number_at(part: _Part, key: bytes) -> int:
    return next((int.from_bytes(raw[4:], "little") for name, raw in part.pairs if name == key), 0)


def _string(text: bytes) -> bytes:
    return struct.pack("<Q", len(text)) + text


def _write(target: Path, skeleton: tuple[bytes, int]) -> None:
    header, size_bytes = skeleton
    try:
        write_sparse(target, header, size_bytes)
        _forget_old(target.parent)
    except OSError as error:
        raise NotEnoughDisk(
            f"Cannot write {target} ({error.strerror or error}).", hint="Free some space, or choose another home."
        ) from error


def _forget_old(folder: Path) -> None:
    """Keep the newest skeletons only."""
    found = sorted(folder.glob("*.gguf"), key=lambda path: path.stat().st_mtime_ns, reverse=True)
    for path in found[KEPT_SKELETONS:]:
        path.unlink(missing_ok=True)
