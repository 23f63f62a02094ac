"""Vocabularies that llama.cpp merges by scores, or shares their token types: SentencePiece's, in all its forms."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, zip_longest
from typing import NamedTuple

from converters.errors import BadCheckpoint
from converters.jsonfile import JsonObject
from converters.tokenizer.bpe import looks_special, require_different
from converters.tokenizer.loaded import MAX_TOKENS, TokenType
from converters.values import Value, f32s, i32s, text, texts

SPACE = "\u2581"  # how SentencePiece writes a space
ADDED_SCORE, PADDING_SCORE = -1000.0, -10000.0  # as llama.cpp's converter gives them
_N_PROBED = 24
# llama.cpp src/llama-vocab.cpp counts on these in a model that is named Phi-3
_OF_PHI3 = frozenset(("<unk>", "<s>", "</s>", "<|endoftext|>"))
_log = logging.getLogger(__name__)


class Token(NamedTuple):
    """One token: of two neighbours the pair whose joined text has the higher score is merged first."""

    text: str
    score: float
    type: TokenType


def padded(tokens: Mapping[int, Token], n_vocab: int) -> list[Token]:
    """Give the tokens by id, gaps filled with unused ones; raises BadCheckpoint on what llama.cpp aborts on.

    Tokens from n_vocab on, which have no row in the weights, are left out."""
    if not 0 < n_vocab <= MAX_TOKENS:
        raise BadCheckpoint(f"config.json's vocab_size is {n_vocab}, which makes no sense.")
    beyond = [number for number in tokens if number >= n_vocab]
    if beyond:
        _log.warning("%d tokens from id %d on have no row in the weights and are left out", len(beyond), min(beyond))
    filled = [tokens.get(i) or Token(f"[PAD{i}]", PADDING_SCORE, TokenType.UNUSED) for i in range(n_vocab)]
    require_different([token.text for token in filled], "The tokenizer")
    return filled


def added_token(entry: JsonObject) -> Token:
    """Give an added token; what is not special loses SentencePiece's sign for a space."""
    if entry.get("special") or looks_special(entry["content"]):
        return Token(entry["content"], ADDED_SCORE, TokenType.CONTROL)
    return spaced(Token(entry["content"], ADDED_SCORE, TokenType.USER_DEFINED))


def spaced(token: Token) -> Token:
    """Write spaces plainly: user-defined tokens are looked for in the text as it came."""
    return token._replace(text=token.text.replace(SPACE, " "))


def scored_values(model: str, tokens: Sequence[Token]) -> dict[str, Value]:
    """Give tokenizer.ggml.model with the tokens, their scores and types."""
    return {
        "tokenizer.ggml.model": text(model),
        "tokenizer.ggml.tokens": texts([token.text for token in tokens]),
        "tokenizer.ggml.scores": f32s([token.score for token in tokens]),
        "tokenizer.ggml.token_type": i32s([token.type for token in tokens]),
    }


def known_as(added: Iterable[JsonObject], tokens: Sequence[Token]) -> str:
    """Give what LoadedTokenizer.known_as says: Phi-3 where the spaces after added tokens belong to them."""
    swallowing = {entry["content"] for entry in added if entry.get("rstrip")} - _OF_PHI3
    texts = {token.text for token in tokens}
    return "Phi-3" if texts >= _OF_PHI3 and not swallowing.isdisjoint(texts) else ""


def probed_tokens(tokens: Sequence[Token]) -> tuple[str, ...]:
    """Choose special tokens for the probe texts: control and user-defined ones in turn."""
    kinds = (TokenType.CONTROL, TokenType.USER_DEFINED)
    named = [[token.text for token in tokens if token.type is kind][: _N_PROBED // 2] for kind in kinds]
    return tuple(name for name in chain.from_iterable(zip_longest(*named)) if name)
