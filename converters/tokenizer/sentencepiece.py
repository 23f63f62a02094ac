"""Reads a SentencePiece tokenizer (tokenizer.model and its neighbours) into the lists that a GGUF file holds.

Source of the rules: llama.cpp conversion/base.py, _create_vocab_sentencepiece, and conversion/phi.py; unlike them it
takes user-defined pieces as such, and the added tokens of a tokenizer.json in every family.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

from converters.errors import BadCheckpoint, UnsupportedModel
from converters.jsonfile import JsonObject, read_optional
from converters.tokenizer.bpe import added_tokens, model_of
from converters.tokenizer.loaded import HfTokenizer, LoadedTokenizer, TokenType
from converters.tokenizer.scored import (
    ADDED_SCORE,
    Token,
    added_token,
    known_as,
    padded,
    probed_tokens,
    scored_values,
    spaced,
)
from converters.tokenizer.sentencepiece_model import SentencePieceModel, read_sentencepiece
from converters.tokenizer.sentencepiece_reference import reference_tokenizer
from converters.tokenizer.special import special_metadata, template_metadata
from converters.values import flag


def load(folder: Path, config: JsonObject, n_vocab: int, preferred: Sequence[str] = ()) -> LoadedTokenizer | None:
    """Read tokenizer.model, cut or padded to n_vocab tokens; None when there is none.

    The reference is tokenizer.json when it is there, else one made of the pieces. preferred: not used."""
    path = folder / "tokenizer.model"
    if not path.is_file():
        return None
    model = read_sentencepiece(path)
    if model.kind != "bpe":
        raise UnsupportedModel(f"{path.name} is of SentencePiece's kind {model.kind}; only bpe is merged by scores.")
    tokenizer = read_optional(folder / "tokenizer.json")
    tokenizer_config = read_optional(folder / "tokenizer_config.json")
    added = added_tokens(tokenizer, tokenizer_config)
    tokens = padded(_tokens(model, _listed(folder), added), n_vocab)
    return LoadedTokenizer(
        config=tokenizer_config,
        values={
            **scored_values("llama", tokens),
            **({} if model.adds_dummy_prefix else {"tokenizer.ggml.add_space_prefix": flag(False)}),
            **special_metadata(tokenizer, tokenizer_config, config, tokenizer.get("added_tokens") or [], n_vocab),
            **template_metadata(folder, tokenizer_config),
        },
        n_tokens=n_vocab,
        candidates=("default",),
        special_tokens=probed_tokens(tokens),
        reference=_reference(folder, tokenizer, model, tokens),
        known_as=known_as(added, tokens),
    )


def _reference(folder: Path, tokenizer: JsonObject, model: SentencePieceModel, tokens: Sequence[Token]) -> HfTokenizer:
    if tokenizer:
        model_of(tokenizer)
        return HfTokenizer.from_file(folder / "tokenizer.json")
    return HfTokenizer(lambda: reference_tokenizer(model, tokens), "tokenizer.model")


def _tokens(
    model: SentencePieceModel, listed: Iterable[tuple[int, str]], added: Iterable[JsonObject]
) -> dict[int, Token]:
    """Give the pieces, overridden by what is listed in added_tokens.json, and that by the added tokens proper."""
    user_defined = TokenType.USER_DEFINED
    tokens = {i: spaced(piece) if piece.type is user_defined else piece for i, piece in enumerate(model.pieces)}
    tokens |= {number: Token(content, ADDED_SCORE, user_defined) for number, content in listed}
    tokens |= {entry["id"]: added_token(entry) for entry in added}
    return tokens


def _listed(folder: Path) -> list[tuple[int, str]]:
    """Give id and text of the tokens in added_tokens.json."""
    listed = [(number, content) for content, number in read_optional(folder / "added_tokens.json").items()]
    unusable = next((content for number, content in listed if type(number) is not int or number < 0), None)
    if unusable is not None:
        raise BadCheckpoint(f"added_tokens.json gives {unusable!r} no usable id.", hint="Download the file again.")
    if len(dict(listed)) < len(listed):
        raise BadCheckpoint("added_tokens.json gives one id to several tokens.", hint="Download the file again.")
    return listed
