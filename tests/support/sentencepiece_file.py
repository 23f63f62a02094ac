"""Writes SentencePiece tokenizers for tests, in both of their forms, and gives the pieces of a real vocabulary."""

import json
import struct
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from tests.support.gguf_file import read_gguf
from tests.support.models import gemma3_gguf

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = 1, 2, 3, 4, 5, 6

Piece = tuple[str, float, int]


def write_model(
    path: Path, pieces: Iterable[Piece], model_type: int = 2, dummy_prefix: bool = True, remove_spaces: bool = False
) -> Path:
    """Write text, score and type of each piece; model_type 2 is bpe, 1 unigram."""
    body = b"".join(field(1, piece_message(*piece)) for piece in pieces)
    normalizer = number(3, dummy_prefix) + number(4, remove_spaces)
    path.write_bytes(body + field(2, number(3, model_type)) + field(3, normalizer))
    return path


def piece_message(text: str, score: float, kind: int) -> bytes:
    """Encode one piece; a normal one leaves its type out, as SentencePiece does."""
    message = field(1, text.encode()) + b"\x15" + struct.pack("<f", score)
    return message if kind == NORMAL else message + number(3, kind)


def field(key: int, data: bytes) -> bytes:
    """Encode a field of bytes."""
    return varint(key << 3 | 2) + varint(len(data)) + data


def number(key: int, value: int) -> bytes:
    """Encode a field that is a whole number."""
    return varint(key << 3) + varint(value)


def varint(value: int) -> bytes:
    """Encode a number in 7 bits a byte."""
    low = b""
    while value > 0x7F:
        low += bytes([value & 0x7F | 0x80])
        value >>= 7
    return low + bytes([value])


@cache
def gemma3_pieces(n: int | None = None) -> list[Piece]:
    """Give Gemma 3's vocabulary as its own tokenizer.model has it: all, or the first n with all single characters."""
    facts = read_gguf(gemma3_gguf()).metadata
    columns = (facts[f"tokenizer.ggml.{key}"] for key in ("tokens", "scores", "token_type"))
    pieces = [_gemma_piece(*piece) for piece in zip(*columns, strict=True)]
    return pieces if n is None else pieces[:n] + [piece for piece in pieces[n:] if len(piece[0]) == 1]


def _gemma_piece(text: str, score: float, kind: int) -> Piece:
    """Undo what a converter did: spaces have SentencePiece's sign again, and all but normal pieces the score 0."""
    kind = UNKNOWN if text == "<unk>" else USER_DEFINED if text.startswith("<unused") else kind
    return text.replace(" ", "\u2581"), score if kind == NORMAL else 0.0, kind


def write_byte_fallback(folder: Path, pieces: Sequence[Piece], prefix: bool) -> Path:
    """Write the pieces as a tokenizer.json alone, as transformers saves them: BPE with merges in the order of ids."""
    kinds = {text: kind for text, _, kind in pieces}
    special = [i for i, (_, _, kind) in enumerate(pieces) if kind in (UNKNOWN, CONTROL)]
    ids = {text: i for i, (text, _, _) in enumerate(pieces)}
    mergeable = {text: i for text, i in ids.items() if kinds[text] in (NORMAL, USER_DEFINED)}
    pairs = ((text[:cut], text[cut:]) for text in mergeable for cut in range(1, len(text)))
    steps: list[dict[str, Any]] = [{"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"}]
    document = {
        "added_tokens": [_added(i, pieces[i][0]) for i in special],
        "normalizer": {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "\u2581"}] * prefix + steps},
        "decoder": {"type": "Sequence", "decoders": [{"type": "ByteFallback"}, {"type": "Fuse"}]},
        "model": {
            "type": "BPE", "unk_token": "<unk>", "fuse_unk": True, "byte_fallback": True, "vocab": ids,
            "merges": [pair for pair in pairs if pair[0] in mergeable and pair[1] in mergeable],
        },
    }  # fmt: skip
    (folder / "tokenizer.json").write_text(json.dumps(document), encoding="utf-8")
    return folder


def _added(number: int, content: str) -> dict[str, Any]:
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    return {"id": number, "content": content, "special": True, **flags}
