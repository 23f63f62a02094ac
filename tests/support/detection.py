"""Finds a tokenizer's pre-tokenizer by llama.cpp, as a conversion does, from a file that holds nothing else."""

from collections.abc import Sequence
from pathlib import Path

from converters.events import Cancel
from converters.gguf_header import encode_header
from converters.helper import Helper
from converters.tokenizer.detect import Parity, detect
from converters.tokenizer.loaded import LoadedTokenizer
from converters.tokenizer.probe_texts import probe_texts
from converters.values import text, u32

_SIZES = ("block_count", "context_length", "embedding_length", "feed_forward_length", "attention.head_count")


class CountingHelper:
    """Passes requests on, and notes the pre-tokenizers that were tried."""

    def __init__(self, helper: Helper) -> None:
        self.helper = helper
        self.tried: list[str] = []

    def ask(self, **request: object) -> dict[str, object]:
        """Answer one request."""
        self.tried.append(str(request["pre"]))
        return self.helper.ask(**request)


def find(
    folder: Path, loaded: LoadedTokenizer, helper: CountingHelper, candidates: Sequence[str] | None = None
) -> Parity:
    """Try the tokenizer's own candidates, or others, on all probe texts."""
    metadata = {"general.architecture": text("llama")} | {f"llama.{key}": u32(8) for key in _SIZES}
    (folder / "vocab.gguf").write_bytes(encode_header({**metadata, **loaded.metadata(None)}, ()))
    texts = probe_texts(loaded.special_tokens)
    names = loaded.candidates if candidates is None else candidates
    return detect(folder / "vocab.gguf", names, texts, loaded.reference, helper, Cancel())
