"""Reads a SentencePiece vocabulary that is there only as tokenizer.json: BPE with byte_fallback.

llama.cpp merges such a vocabulary by scores, the merges are in the order of ranks: a token's score is the negative of
the lowest rank that makes it, so the same pair is merged next. (llama.cpp's own converter gives all the score -1000.)
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from converters.errors import BadCheckpoint
from converters.jsonfile import JsonObject, read_object, read_optional
from converters.tokenizer.bpe import added_tokens, model_of, tokens_by_id
from converters.tokenizer.loaded import HfTokenizer, LoadedTokenizer, TokenType
from converters.tokenizer.scored import SPACE, Token, added_token, known_as, padded, probed_tokens, scored_values
from converters.tokenizer.special import special_metadata, template_metadata
from converters.values import flag

FILE_NAME = "tokenizer.json"


def load(folder: Path, config: JsonObject, n_vocab: int, preferred: Sequence[str] = ()) -> LoadedTokenizer | None:
    """Read tokenizer.json, cut or padded to n_vocab tokens; None when there is none of this kind.

    preferred: not used."""
    tokenizer = read_byte_fallback(folder)
    if tokenizer is None:
        return None
    tokenizer_config = read_optional(folder / "tokenizer_config.json")
    added = added_tokens(tokenizer, tokenizer_config)
    tokens = padded(ranked_tokens(tokenizer, added), n_vocab)
    return LoadedTokenizer(
        config=tokenizer_config,
        values={
            **scored_values("llama", tokens),
            **({} if _adds_space(tokenizer) else {"tokenizer.ggml.add_space_prefix": flag(False)}),
            **special_metadata(tokenizer, tokenizer_config, config, added, n_vocab),
            **template_metadata(folder, tokenizer_config),
        },
        n_tokens=n_vocab,
        candidates=("default",),
        special_tokens=probed_tokens(tokens),
        reference=HfTokenizer.from_file(folder / FILE_NAME),
        known_as=known_as(added, tokens),
    )


def read_byte_fallback(folder: Path) -> JsonObject | None:
    """Read tokenizer.json if its letters are characters, with bytes for the rest; None if it is of another kind."""
    path = folder / FILE_NAME
    if not path.is_file():
        return None
    tokenizer = read_object(path)
    model = tokenizer.get("model")
    if not isinstance(model, dict) or model.get("type", "BPE") != "BPE" or not model.get("byte_fallback"):
        return None
    steps = json.dumps([tokenizer.get("pre_tokenizer"), tokenizer.get("decoder")])
    return None if '"ByteLevel"' in steps else tokenizer


def ranked_tokens(tokenizer: JsonObject, added: Sequence[JsonObject]) -> dict[int, Token]:
    """Give each token its type, and a score by the merges."""
    model = model_of(tokenizer)
    ranks, by_id, normal = _ranks(model.get("merges")), tokens_by_id(model, added), TokenType.NORMAL
    tokens = {
        number: Token(content, -float(ranks.get(content, len(ranks))), normal) for number, content in by_id.items()
    }
    for byte in range(256):
        number = model["vocab"].get(f"<0x{byte:02X}>")
        if number is not None:
            tokens[number] = Token(by_id[number], 0.0, TokenType.BYTE)
    return tokens | {entry["id"]: _added(entry, ranks) for entry in added}


def _ranks(merges: Any) -> dict[str, int]:
    """Give the lowest rank that makes each text; a merge is a pair, or its parts with a space between."""
    ranks: dict[str, int] = {}
    try:
        for rank, pair in enumerate(merges):
            ranks.setdefault(pair.replace(" ", "", 1) if type(pair) is str else "".join(pair), rank)
    except TypeError as error:
        raise BadCheckpoint("tokenizer.json has no usable merges.", hint="Download the file again.") from error
    return ranks


def _added(entry: JsonObject, ranks: Mapping[str, int]) -> Token:
    """Type an added token; one that spaces merge to stays a normal one, or its spaces would not be shown."""
    token, content = added_token(entry), entry["content"]
    if token.type is TokenType.USER_DEFINED and SPACE in content and content in ranks:
        return Token(content, -float(ranks[content]), TokenType.NORMAL)
    return token


def _adds_space(tokenizer: JsonObject) -> bool:
    """Tell whether a space is put before a text: by a normalizer, or by the pre-tokenizer named after SentencePiece."""
    steps = [
        *_steps(tokenizer.get("normalizer"), "normalizers"),
        *_steps(tokenizer.get("pre_tokenizer"), "pretokenizers"),
    ]
    return any(
        step.get("type") == "Prepend"
        or (step.get("type") == "Metaspace" and step.get("prepend_scheme", "always") != "never")
        for step in steps
    )


def _steps(step: object, key: str) -> list[JsonObject]:
    if not isinstance(step, dict):
        return []
    inner = step.get(key)
    return [part for entry in inner for part in _steps(entry, key)] if isinstance(inner, list) else [step]
