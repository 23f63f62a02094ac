"""Finds the pre-tokenizer of llama.cpp that gives the same ids as the HF tokenizer, by trying."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from converters.errors import EngineFailed, UnsupportedModel
from converters.events import Cancel


class Encoder(Protocol):
    """The reference: the HF tokenizer."""

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Give the ids of each text, nothing added."""
        ...


class Asker(Protocol):
    """The helper process."""

    def ask(self, **request: object) -> dict[str, object]:
        """Answer one request."""
        ...


@dataclass(frozen=True)
class Parity:
    """How many probe texts gave equal ids, with which pre-tokenizer; first_difference is a text that did not."""

    pre: str
    checked: int
    equal: int
    first_difference: str | None


def detect(
    vocab_file: Path, candidates: Sequence[str], texts: Sequence[str], reference: Encoder, helper: Asker, cancel: Cancel
) -> Parity:
    """Try the candidates in order until one gives every text's ids; else give the best of all.

    Raises UnsupportedModel when llama.cpp can load the vocabulary with none of them."""
    wanted = reference.encode(texts)
    best: Parity | None = None
    failure = ""
    for pre in candidates:
        cancel.check()
        try:
            found = helper.ask(do="tokenize", model=str(vocab_file), pre=pre, texts=list(texts))["ids"]
        except EngineFailed as error:  # a pre-tokenizer that aborts on this vocabulary is only a wrong candidate
            failure = failure or error.message
            continue
        assert isinstance(found, list)
        parity = _compare(pre, texts, wanted, found)
        if best is None or parity.equal > best.equal:
            best = parity
        if parity.equal == parity.checked:
            break
    if best is None:
        raise UnsupportedModel(f"llama.cpp cannot use this tokenizer: {failure}")
    return best


def _compare(pre: str, texts: Sequence[str], wanted: Sequence[list[int]], found: Sequence[list[int]]) -> Parity:
    differing = [text for text, ours, theirs in zip(texts, found, wanted, strict=True) if ours != theirs]
    return Parity(pre, len(texts), len(texts) - len(differing), differing[0] if differing else None)
