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


_WRONG_GUESS = 0.2


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
    best: _Trial | None = None
    failure = ""
    for pre in candidates:
        cancel.check()
        try:
            found = helper.ask(do="tokenize", model=str(vocab_file), pre=pre, texts=list(texts))["ids"]
        except EngineFailed as error:  # a pre-tokenizer that aborts on this vocabulary is only a wrong candidate
            failure = failure or error.message
            continue
        assert isinstance(found, list)
        trial = _Trial(pre, [text for text, a, b in zip(texts, found, wanted, strict=True) if a != b])
        if best is None or trial.beats(best, len(texts)):
            best = trial
        if not trial.differing:
            break
    if best is None:
        raise UnsupportedModel(f"llama.cpp cannot use this tokenizer: {failure}")
    return Parity(best.pre, len(texts), len(texts) - len(best.differing), next(iter(best.differing), None))


@dataclass(frozen=True)
class _Trial:
    """A pre-tokenizer, and the texts on which it gave other ids."""

    pre: str
    differing: Sequence[str]

    def beats(self, earlier: "_Trial", n_texts: int) -> bool:
        """Tell whether this one goes before an earlier, likelier guess.

        Right where the earlier is, and more; a count alone would trade the texts that people write for rare ones. Only
        an earlier one that fails on a fifth of the texts was a wrong guess, and yields to any that is right more often.
        """
        if len(earlier.differing) > n_texts * _WRONG_GUESS:
            return len(self.differing) < len(earlier.differing)
        return set(self.differing) < set(earlier.differing)
