"""Finds which kind of tokenizer a checkpoint holds, and loads it."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from converters.errors import BadCheckpoint
from converters.jsonfile import JsonObject
from converters.tokenizer import bpe, gemma4, sentencepiece, spm_bpe, tekken, tiktoken
from converters.tokenizer.loaded import LoadedTokenizer

__all__ = ["DEFAULT_KINDS", "LoadedTokenizer", "load_tokenizer"]

Loader = Callable[[Path, JsonObject, int, Sequence[str]], LoadedTokenizer | None]

# kind -> load(folder, config, n_vocab, preferred); None: the folder does not hold this kind
_LOADERS: Mapping[str, Loader] = {
    "tekken": tekken.load,
    "sentencepiece": sentencepiece.load,
    "spm_bpe": spm_bpe.load,
    "gemma4": gemma4.load,
    "tiktoken": tiktoken.load,
    "bpe": bpe.load,
}
DEFAULT_KINDS = ("tekken", "sentencepiece", "spm_bpe", "bpe")


def load_tokenizer(
    folder: Path,
    config: JsonObject,
    n_vocab: int,
    preferred: Sequence[str] = (),
    kinds: Sequence[str] = DEFAULT_KINDS,
) -> LoadedTokenizer:
    """Read the first of the kinds that the folder holds; raises BadCheckpoint or NotYet, naming the file.

    preferred: pre-tokenizers that are tried first among equals."""
    for kind in kinds:
        loader = _LOADERS.get(kind)
        loaded = loader(folder, config, n_vocab, preferred) if loader else None
        if loaded is not None:
            return loaded
    raise BadCheckpoint(
        f"{folder} has neither tokenizer.json nor tokenizer.model.",
        hint="Download the tokenizer's files of the model, or of its base model.",
    )
