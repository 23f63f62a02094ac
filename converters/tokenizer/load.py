"""Loads a checkpoint's tokenizer: its GGUF values, and the HF tokenizer as the reference."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tokenizers import Tokenizer

from converters.errors import BadCheckpoint, NotYet
from converters.jsonfile import JsonObject, read_object, read_optional
from converters.tokenizer.bpe import TokenType, added_tokens, read_vocab, require_byte_level_bpe
from converters.tokenizer.pre_tokenizers import ordered
from converters.tokenizer.special import special_metadata, template_metadata
from converters.values import Value, i32s, text, texts


class HfTokenizer:
    """The reference tokenizer, of the `tokenizers` library."""

    def __init__(self, path: Path) -> None:
        try:
            self._tokenizer = Tokenizer.from_file(str(path))
        except Exception as error:  # the library raises no narrower type
            raise BadCheckpoint(f"{path.name} cannot be used: {error}.", hint="Download the file again.") from error
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()

    def encode(self, lines: Sequence[str]) -> list[list[int]]:
        """Give the ids of each text, nothing added."""
        return [encoding.ids for encoding in self._tokenizer.encode_batch(list(lines), add_special_tokens=False)]

    def round_trip(self, line: str) -> str:
        """Encode and decode a text, special tokens kept."""
        ids = self._tokenizer.encode(line, add_special_tokens=False).ids
        return str(self._tokenizer.decode(ids, skip_special_tokens=False))


@dataclass(frozen=True)
class LoadedTokenizer:
    """Everything of the tokenizer but its pre-tokenizer's name, which detect.py finds among the candidates."""

    config: JsonObject
    values: dict[str, Value]
    n_tokens: int
    candidates: tuple[str, ...]
    special_tokens: tuple[str, ...]
    reference: HfTokenizer

    def metadata(self, pre: str | None) -> dict[str, Value]:
        """Give all tokenizer.* values; without pre the file needs an override when it is loaded."""
        return self.values if pre is None else {**self.values, "tokenizer.ggml.pre": text(pre)}


def load_tokenizer(folder: Path, config: JsonObject, n_vocab: int, preferred: Sequence[str] = ()) -> LoadedTokenizer:
    """Read tokenizer.json and its neighbours; raises BadCheckpoint or NotYet, naming the file.

    preferred: pre-tokenizers that are tried first among equals."""
    path = _tokenizer_json(folder)
    tokenizer = read_object(path)
    tokenizer_config = read_optional(folder / "tokenizer_config.json")
    require_byte_level_bpe(tokenizer)
    reference = HfTokenizer(path)
    added = added_tokens(tokenizer, tokenizer_config)
    vocab = read_vocab(tokenizer, added, n_vocab, reference)
    cleans = bool(tokenizer_config.get("clean_up_tokenization_spaces", True))
    controls = tuple(t for t, kind in zip(vocab.tokens, vocab.types, strict=True) if kind is TokenType.CONTROL)
    return LoadedTokenizer(
        config=tokenizer_config,
        values={
            "tokenizer.ggml.model": text("gpt2"),
            "tokenizer.ggml.tokens": texts(vocab.tokens),
            "tokenizer.ggml.token_type": i32s(vocab.types),
            "tokenizer.ggml.merges": texts(vocab.merges),
            **special_metadata(tokenizer, tokenizer_config, config, added),
            **template_metadata(folder, tokenizer_config),
        },
        n_tokens=len(vocab.tokens),
        candidates=ordered(tokenizer, cleans, preferred),
        special_tokens=controls,
        reference=reference,
    )


def _tokenizer_json(folder: Path) -> Path:
    path = folder / "tokenizer.json"
    if path.is_file():
        return path
    if (folder / "tokenizer.model").is_file():
        raise NotYet(f"{folder} has only a SentencePiece tokenizer (tokenizer.model), which is not converted yet.")
    raise BadCheckpoint(
        f"{folder} has no tokenizer.json.", hint="Download the tokenizer's files of the model, or of its base model."
    )
