"""Reads tokenizer.model, the protobuf file of a SentencePiece model.

Source of the field numbers: sentencepiece_model.proto of google/sentencepiece.
"""

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from converters.errors import BadCheckpoint
from converters.tokenizer.loaded import MAX_TOKENS, TokenType
from converters.tokenizer.scored import Token

_MAX_BYTES = 128 << 20  # the largest known, of 262,144 pieces, is near 5 MB
_PIECES, _TRAINER, _NORMALIZER = 1, 2, 3
_TEXT, _SCORE, _TYPE = 1, 2, 3
_MODEL_TYPE = 3
_CHARSMAP, _DUMMY_PREFIX, _REMOVE_SPACES = 2, 3, 4
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_KINDS = {1: "unigram", 2: "bpe", 3: "word", 4: "char"}

Field = tuple[int, int | bytes]


@dataclass(frozen=True)
class SentencePieceModel:
    """Pieces by id, and what is done to a text before it is cut.

    charsmap: the compiled normalization rules, empty for none."""

    kind: str
    pieces: list[Token]
    adds_dummy_prefix: bool
    removes_extra_spaces: bool
    charsmap: bytes


def read_sentencepiece(path: Path) -> SentencePieceModel:
    """Read a tokenizer.model; raises BadCheckpoint that says what is wrong with it."""
    try:
        size_bytes = path.stat().st_size
        if size_bytes > _MAX_BYTES:
            raise BadCheckpoint(f"{path.name} is {size_bytes:,} bytes; at most {_MAX_BYTES:,} are believable.")
        return _model(path.read_bytes())
    except OSError as error:
        raise BadCheckpoint(f"Cannot read {path.name} in {path.parent}: {error.strerror}.") from error
    except (ValueError, IndexError, struct.error) as error:
        raise BadCheckpoint(
            f"{path.name} is no SentencePiece model: {error}.", hint="Download the file again."
        ) from error


def _model(data: bytes) -> SentencePieceModel:
    pieces: list[Token] = []
    trainer: dict[int, int | bytes] = {}
    normalizer: dict[int, int | bytes] = {}
    for number, value in _fields(data):
        if number == _PIECES and isinstance(value, bytes):
            pieces.append(_piece(value, len(pieces)))
        elif number == _TRAINER and isinstance(value, bytes):
            trainer.update(_fields(value))
        elif number == _NORMALIZER and isinstance(value, bytes):
            normalizer.update(_fields(value))
    if not 0 < len(pieces) <= MAX_TOKENS:
        raise ValueError(f"it has {len(pieces)} pieces")
    charsmap = normalizer.get(_CHARSMAP, b"")
    return SentencePieceModel(
        kind=_KINDS.get(int(trainer.get(_MODEL_TYPE, 1)), "unknown"),
        pieces=pieces,
        adds_dummy_prefix=bool(normalizer.get(_DUMMY_PREFIX, 1)),
        removes_extra_spaces=bool(normalizer.get(_REMOVE_SPACES, 1)),
        charsmap=charsmap if isinstance(charsmap, bytes) else b"",
    )


def _piece(data: bytes, number: int) -> Token:
    text, score, kind = b"", 0.0, 1
    for field, value in _fields(data):
        if field == _TEXT and isinstance(value, bytes):
            text = value
        elif field == _SCORE and isinstance(value, int):
            (score,) = struct.unpack("<f", value.to_bytes(4, "little"))
        elif field == _TYPE and isinstance(value, int):
            kind = value
    if not math.isfinite(score):
        raise ValueError(f"the score of piece {number}, {text.decode(errors='replace')!r}, is {score}")
    return Token(text.decode(), score, TokenType(kind))


def _fields(data: bytes) -> Iterator[Field]:
    """Give the fields of one message by number: integers (fixed ones as their bits) and bytes."""
    at, end = 0, len(data)
    while at < end:
        key, at = _varint(data, at)
        wire = key & 7
        if wire == _VARINT:
            value, at = _varint(data, at)
            yield key >> 3, value
            continue
        if wire == _BYTES:
            length, at = _varint(data, at)
        elif wire in (_FIXED32, _FIXED64):
            length = 4 if wire == _FIXED32 else 8
        else:
            raise ValueError(f"byte {at} starts no field")
        if length > end - at:
            raise ValueError(f"a field at byte {at} claims {length:,} bytes, {end - at:,} are left")
        chunk = data[at : at + length]
        at += length
        yield key >> 3, chunk if wire == _BYTES else int.from_bytes(chunk, "little")


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Read a number of 7 bits a byte; give it and the place after it."""
    byte = data[at]
    if byte < 0x80:
        return byte, at + 1
    value = shift = 0
    while byte >= 0x80:
        value |= (byte & 0x7F) << shift
        shift += 7
        at += 1
        if shift > 63:
            raise ValueError(f"the number before byte {at} has no end")
        byte = data[at]
    return value | byte << shift, at + 1
