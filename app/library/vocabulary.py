"""Refuses vocabularies that make llama.cpp abort its process, by looking at every token.

Each rule stands for an assertion, or an exception that nobody catches, of the llama.cpp in llama-cpp-python 0.3.36
(src/llama-vocab.cpp).
"""

import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from app.core.bytesource import FileSource
from app.core.errors import BadFile, UnsupportedModel
from app.library.header import Entry, read_header

_TOKENS = "tokenizer.ggml.tokens"
_NO_TOKENIZERS = ("none", "no_vocab")
_U64 = struct.Struct("<Q")
_ARRAY, _TEXT, _ARRAY_HEAD_BYTES = 9, 8, 12
_AGAIN = "Download or convert the model again."


def check_vocabulary(path: Path) -> None:
    """Raise BadFile or UnsupportedModel for a vocabulary that llama.cpp does not survive.

    path: of a split model, the first part, which holds it.
    """
    with FileSource(path) as source:
        header = read_header(source)
        tokenizer = header.metadata.get("tokenizer.ggml.model")
        if tokenizer in _NO_TOKENIZERS:
            raise UnsupportedModel(
                f"{path} holds no vocabulary (tokenizer.ggml.model is {tokenizer}), so it can neither read nor write "
                "text.",
                hint="Choose another model.",
            )
        entry = next((entry for entry in header.entries if entry.key == _TOKENS), None)
        if entry is None or not _is_list_of_texts(entry, source):
            return  # llama.cpp says so itself
        tokens = _texts(source.read(entry.offset_bytes, entry.size_bytes))
    complaint = _repeated(tokens) or _unreadable(tokens, header.metadata)
    if complaint:
        raise BadFile(f"{path} is damaged: {complaint}.", hint=_AGAIN)


def _is_list_of_texts(entry: Entry, source: FileSource) -> bool:
    if entry.value_type != _ARRAY:
        return False
    return source.read(entry.offset_bytes, 4) == struct.pack("<I", _TEXT)


def _texts(data: bytes) -> list[bytes]:
    """Return an array's texts as llama.cpp takes them: up to a zero byte."""
    (count,) = _U64.unpack_from(data, 4)
    at, texts = _ARRAY_HEAD_BYTES, []
    for _ in range(count):
        start = at + 8
        at = start + _U64.unpack_from(data, at)[0]
        texts.append(data[start:at])
    return [text.partition(b"\0")[0] for text in texts] if b"\0" in b"".join(texts) else texts


def _repeated(tokens: list[bytes]) -> str:
    """Two equal tokens: GGML_ASSERT(id_to_token.size() == token_to_id.size()). Empty ones are told apart by number."""
    named = [token for token in tokens if token]
    seen: set[bytes] = set()
    repeated = {token for token in named if token in seen or seen.add(token)}  # type: ignore[func-returns-value]
    if not repeated:
        return ""
    first = sorted(repeated)[0].decode("utf-8", "replace")
    return f"{len(repeated)} of its {len(tokens)} tokens stand there more than once, {first!r} for example"


def _unreadable(tokens: list[bytes], metadata: Mapping[str, Any]) -> str:
    """A SentencePiece tokenizer that can spell no space: std::out_of_range out of the first text it is given."""
    known = set(tokens)
    if metadata.get("tokenizer.ggml.model") != "llama" or "▁".encode() in known:
        return ""
    if all(f"<0x{byte:02X}>".encode() in known or bytes([byte]) in known for byte in "▁".encode()):
        return ""
    return f"its tokenizer is called SentencePiece, but none of its {len(tokens)} tokens can stand for a space"
