"""Reads a tiktoken.model, as Kimi's models carry it: a line for each token, its bytes in base64 and its rank.

The file does not say how to split a text; that stands in the code of the model's folder, which is never run. The
pattern is known for the classes named here. Source: Kimi-K2's tokenization_kimi.py, and llama.cpp
conversion/deepseek.py, set_vocab, for what a GGUF file is given.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from converters.errors import BadCheckpoint, UnsupportedModel
from converters.jsonfile import JsonObject, read_optional
from converters.tokenizer.loaded import LoadedTokenizer
from converters.tokenizer.pre_tokenizers import KIMI_PATTERN, ordered, split_step
from converters.tokenizer.ranks import (
    RankEncoder,
    last_halves,
    merges,
    read_ranks,
    token_list,
    token_types,
    written_tokens,
)
from converters.tokenizer.special import special_metadata, template_metadata
from converters.values import i32s, text, texts

FILE_NAME = "tiktoken.model"
N_RESERVED = 258  # Kimi's tokenizer counts 256 reserved tokens and two more; those past vocab_size do not exist
_MAX_BYTES = 64 << 20
_HINT = "Download the file again."

# tokenizer_config.json's tokenizer_class -> how it splits, and llama.cpp's name for it
_PATTERNS = {"TikTokenTokenizer": (KIMI_PATTERN, "kimi-k2")}


def load(folder: Path, config: JsonObject, n_vocab: int, preferred: Sequence[str] = ()) -> LoadedTokenizer | None:
    """Read tiktoken.model and tokenizer_config.json; None when there is no such file.

    Raises UnsupportedModel when the tokenizer's class is not a known one."""
    path = folder / FILE_NAME
    if not path.is_file():
        return None
    tokenizer_config = read_optional(folder / "tokenizer_config.json")
    pattern, name = _known(tokenizer_config)
    ranks = read_ranks(_lines(path), FILE_NAME)
    special = _special(tokenizer_config, len(ranks), n_vocab)
    letters = written_tokens(ranks)
    ranked = {rank: letters[token] for token, rank in ranks.items()}
    splitting = {"pre_tokenizer": split_step(pattern)}
    return LoadedTokenizer(
        config=tokenizer_config,
        values={
            "tokenizer.ggml.model": text("gpt2"),
            "tokenizer.ggml.tokens": texts(token_list(ranked, special, n_vocab, FILE_NAME)),
            "tokenizer.ggml.token_type": i32s(token_types(n_vocab, ranked, special)),
            "tokenizer.ggml.merges": texts(merges(last_halves(ranks), letters)),
            **special_metadata({}, tokenizer_config, config, []),
            **template_metadata(folder, tokenizer_config),
        },
        n_tokens=n_vocab,
        candidates=ordered(splitting, cleans_spaces=False, preferred=(name, *preferred)),
        special_tokens=tuple(special),
        reference=RankEncoder(ranks, 0, pattern, special, FILE_NAME),
    )


def _known(tokenizer_config: JsonObject) -> tuple[str, str]:
    kind = tokenizer_config.get("tokenizer_class")
    if isinstance(kind, str) and kind in _PATTERNS:
        return _PATTERNS[kind]
    raise UnsupportedModel(
        f"How the tokenizer of {FILE_NAME} splits a text is not known (tokenizer_class {kind!r}).",
        hint=f"Known: {', '.join(_PATTERNS)}. A tokenizer.json from the model's repository would do as well.",
    )


def _lines(path: Path) -> Iterator[tuple[str, int]]:
    try:
        size_bytes = path.stat().st_size
        if size_bytes > _MAX_BYTES:
            raise BadCheckpoint(f"{FILE_NAME} is {size_bytes:,} bytes; at most {_MAX_BYTES:,} are believable.")
        lines = path.read_text(encoding="ascii").splitlines()
    except OSError as error:
        raise BadCheckpoint(f"Cannot read {FILE_NAME}: {error.strerror}.", hint=_HINT) from error
    except UnicodeDecodeError as error:
        raise BadCheckpoint(f"{FILE_NAME} is not text: byte {error.start:,} is no ASCII.", hint=_HINT) from error
    for number, line in enumerate(lines, 1):
        if line:
            token, _, rank = line.partition(" ")
            if not rank.isdecimal() or len(rank) > 9:
                raise BadCheckpoint(f"{FILE_NAME}, line {number}: {line[:40]!r} is no token with a rank.", hint=_HINT)
            yield token, int(rank)


def _special(tokenizer_config: JsonObject, n_ranks: int, n_vocab: int) -> dict[str, int]:
    """Give the reserved tokens after the ranked ones, named where tokenizer_config.json names them."""
    named = tokenizer_config.get("added_tokens_decoder")
    named = named if isinstance(named, dict) else {}
    special = {}
    for number in range(n_ranks, min(n_ranks + N_RESERVED, n_vocab)):
        entry = named.get(str(number))
        content = entry.get("content") if isinstance(entry, dict) else None
        special[content if isinstance(content, str) and content else f"<|reserved_token_{number}|>"] = number
    return special
