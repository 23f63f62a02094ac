"""Compares a checkpoint's tokenizer with the HF one by llama.cpp itself, as a conversion does."""

from collections.abc import Sequence
from pathlib import Path

from converters.events import Cancel
from converters.gguf_header import encode_header
from converters.helper import Helper
from converters.tokenizer.detect import Parity, detect
from converters.tokenizer.loaded import LoadedTokenizer
from converters.tokenizer.probe_texts import probe_texts
from converters.values import Value, text, u32

_SIZES = {"block_count": 1, "context_length": 8, "embedding_length": 32, "feed_forward_length": 32,
          "attention.head_count": 1}  # fmt: skip


def find_parity(
    folder: Path, loaded: LoadedTokenizer, more: Sequence[str] = (), family_values: dict[str, Value] | None = None
) -> Parity:
    """Write a file with nothing but the tokenizer into folder, and compare the probe texts and more."""
    metadata = {"general.architecture": text("llama")} | {f"llama.{key}": u32(n) for key, n in _SIZES.items()}
    path = folder / "vocab.gguf"
    path.write_bytes(encode_header({**metadata, **loaded.metadata(None), **(family_values or {})}, ()))
    cancel = Cancel()
    with Helper(cancel) as helper:
        texts = [*probe_texts(loaded.special_tokens), *more]
        return detect(path, loaded.candidates, texts, loaded.reference, helper, cancel)
