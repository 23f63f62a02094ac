"""What every kind of tokenizer gives: its GGUF values, and a reference that the ids are compared with."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from pathlib import Path

from tokenizers import Tokenizer

from converters.errors import BadCheckpoint
from converters.jsonfile import JsonObject
from converters.tokenizer.detect import Encoder
from converters.values import Metadata, Value, text, u32

MAX_TOKENS = 4_000_000
ID_KEYS = {
    "bos": "bos_token_id", "eos": "eos_token_id", "unk": "unknown_token_id", "sep": "seperator_token_id",
    "pad": "padding_token_id", "mask": "mask_token_id", "eot": "eot_token_id", "eom": "eom_token_id",
}  # fmt: skip


class TokenType(IntEnum):
    """What a token is, by its number in a GGUF file. Source: include/llama.h, enum llama_token_type."""

    NORMAL = 1
    UNKNOWN = 2
    CONTROL = 3
    USER_DEFINED = 4
    UNUSED = 5
    BYTE = 6


class HfTokenizer:
    """The reference tokenizer, of the `tokenizers` library; made when it is first asked."""

    def __init__(self, make: Callable[[], Tokenizer], label: str) -> None:
        self._make = make
        self._label = label

    @classmethod
    def from_file(cls, path: Path) -> "HfTokenizer":
        """Stand for the tokenizer of a tokenizer.json."""
        return cls(lambda: Tokenizer.from_buffer(path.read_bytes()), path.name)  # from_file takes no name but UTF-8

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        with self._faults_told():
            tokenizer = self._make()
            tokenizer.no_padding()
            tokenizer.no_truncation()
            return tokenizer

    @contextmanager
    def _faults_told(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # the library raises no narrower type
            reason = " ".join(str(error).split())
            raise BadCheckpoint(f"{self._label} cannot be used: {reason}.", hint="Download the file again.") from error

    def encode(self, lines: Sequence[str]) -> list[list[int]]:
        """Give the ids of each text, nothing added; raises BadCheckpoint when the library refuses the tokenizer."""
        tokenizer = self._tokenizer
        with self._faults_told():
            return [encoding.ids for encoding in tokenizer.encode_batch(list(lines), add_special_tokens=False)]

    def round_trip(self, line: str) -> str:
        """Encode and decode a text, special tokens kept."""
        ids = self.encode([line])[0]
        with self._faults_told():
            return str(self._tokenizer.decode(ids, skip_special_tokens=False))


@dataclass(frozen=True)
class LoadedTokenizer:
    """Everything of the tokenizer but its pre-tokenizer's name, which detect.py finds among the candidates."""

    config: JsonObject
    values: dict[str, Value]
    n_tokens: int
    candidates: tuple[str, ...]
    special_tokens: tuple[str, ...]
    reference: Encoder
    names_pre: bool = True  # llama.cpp ignores the name for tokenizers that only have one
    known_as: str = ""  # what general.name must hold, as llama.cpp knows a way of reading tokens by it alone

    def ids_of(self, special: Mapping[str, str]) -> dict[str, Value]:
        """Give the keys of special tokens by duty (bos, eot, …) and text; without those that are not there."""
        tokens = self.values["tokenizer.ggml.tokens"].data
        assert isinstance(tokens, Sequence)
        ids = {duty: tokens.index(token) for duty, token in special.items() if token in tokens}
        return {f"tokenizer.ggml.{ID_KEYS[duty]}": u32(number) for duty, number in ids.items()}

    def named(self, general: Metadata) -> dict[str, Value]:
        """Give general.* with a name that holds what llama.cpp looks for, with or without its hyphen."""
        name = str(general["general.name"].data) if "general.name" in general else ""
        if self.known_as.lower().replace("-", "") in name.lower().replace("-", ""):
            return dict(general)
        spaced = re.compile(re.escape(self.known_as.replace("-", " ")), re.IGNORECASE)
        known = spaced.sub(self.known_as, name) if spaced.search(name) else f"{name} {self.known_as}".strip()
        return {**general, "general.name": text(known)}

    def metadata(self, pre: str | None) -> dict[str, Value]:
        """Give all tokenizer.* values; without pre the file needs an override when it is loaded."""
        return {**self.values, "tokenizer.ggml.pre": text(pre)} if pre is not None and self.names_pre else self.values
