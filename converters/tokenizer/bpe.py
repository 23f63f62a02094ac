"""Reads a byte-level BPE tokenizer from tokenizer.json into the lists that a GGUF file holds."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from converters.errors import BadCheckpoint, NotYet, UnsupportedModel
from converters.jsonfile import JsonObject, read_object, read_optional
from converters.tokenizer.loaded import HfTokenizer, LoadedTokenizer, TokenType
from converters.tokenizer.pre_tokenizers import ordered
from converters.tokenizer.special import special_metadata, template_metadata
from converters.values import i32s, text, texts

MAX_TOKENS = 4_000_000


@dataclass(frozen=True)
class BpeVocab:
    """Tokens by id with their types, and merges by rank ("left right", spaces inside a part encoded as U+0120)."""

    tokens: Sequence[str]
    types: Sequence[TokenType]
    merges: Sequence[str]


class Codec(Protocol):
    """The part of tokenizers.Tokenizer that reading needs: text to ids and back, special tokens kept."""

    def round_trip(self, text: str) -> str:
        """Encode the text without adding anything, and decode it again."""
        ...


def load(folder: Path, config: JsonObject, n_vocab: int, preferred: Sequence[str] = ()) -> LoadedTokenizer | None:
    """Read tokenizer.json and its neighbours; None when there is none.

    preferred: pre-tokenizers that are tried first among equals."""
    path = folder / "tokenizer.json"
    if not path.is_file():
        return None
    tokenizer = read_object(path)
    tokenizer_config = read_optional(folder / "tokenizer_config.json")
    require_byte_level_bpe(tokenizer)
    reference = HfTokenizer.from_file(path)
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


def require_byte_level_bpe(tokenizer: JsonObject) -> None:
    """Raise NotYet when tokenizer.json holds another kind of tokenizer than byte-level BPE."""
    model = model_of(tokenizer)
    if model.get("type", "BPE") != "BPE":
        raise NotYet(f"The tokenizer is of kind {model.get('type')}; only byte-level BPE is converted for now.")
    if model.get("byte_fallback") or '"ByteLevel"' not in _text_of(tokenizer):
        raise NotYet(
            "The tokenizer is SentencePiece-like BPE (byte_fallback); only byte-level BPE is converted for now."
        )


def read_vocab(tokenizer: JsonObject, added: Sequence[JsonObject], n_vocab: int, codec: Codec) -> BpeVocab:
    """Build the token list, padded to n_vocab with unused tokens; added are all added tokens (see added_tokens)."""
    by_id = tokens_by_id(model_of(tokenizer), added)
    largest = max(by_id, default=-1)
    if largest >= n_vocab or n_vocab > MAX_TOKENS:
        raise BadCheckpoint(
            f"The tokenizer's ids reach {largest}, but config.json's vocab_size is {n_vocab}.",
            hint="Tokenizer and weights are of different models or versions.",
        )
    added_by_id = {entry["id"]: entry for entry in added}
    pairs = [_entry(i, by_id.get(i), added_by_id.get(i), codec) for i in range(n_vocab)]
    tokens = [token for token, _ in pairs]
    require_different(tokens, "tokenizer.json")
    return BpeVocab(tokens, [kind for _, kind in pairs], merges_of(model_of(tokenizer)))


def require_different(tokens: Sequence[str], file_name: str) -> None:
    """Raise BadCheckpoint when two tokens are written alike: llama.cpp's process aborts on them."""
    if len(set(tokens)) < len(tokens):
        token = next(token for token, count in Counter(tokens).items() if count > 1)
        first = tokens.index(token)
        second = tokens.index(token, first + 1)
        raise BadCheckpoint(
            f"{file_name}: the tokens {first:,} and {second:,} are both written {token[:40]!r}.",
            hint="Download the file again.",
        )


def added_tokens(tokenizer: JsonObject, tokenizer_config: JsonObject) -> list[JsonObject]:
    """Give the added tokens of tokenizer.json, and those that only tokenizer_config.json has."""
    entries = tokenizer.get("added_tokens") or []
    if not isinstance(entries, list):
        raise BadCheckpoint("tokenizer.json: added_tokens is no list.", hint="Download the file again.")
    added = [_checked_added(entry) for entry in entries]
    known = {entry["id"] for entry in added}
    decoder = tokenizer_config.get("added_tokens_decoder")
    for number, entry in (decoder if isinstance(decoder, dict) else {}).items():
        if str(number).isdecimal() and isinstance(entry, dict) and int(number) not in known:
            added.append(_checked_added({**entry, "id": int(number)}))
    return added


def _checked_added(entry: Any) -> JsonObject:
    usable = isinstance(entry, dict) and type(entry.get("id")) is int and entry["id"] >= 0
    if usable and isinstance(entry.get("content"), str):
        return dict(entry)
    raise BadCheckpoint("tokenizer.json: an added token has no id or no content.", hint="Download the file again.")


def model_of(tokenizer: JsonObject) -> JsonObject:
    """Give the part of tokenizer.json that holds vocab and merges.

    Raises UnsupportedModel when it marks parts of words: llama.cpp cannot, and the reference aborts on odd marks."""
    model = tokenizer.get("model")
    if not isinstance(model, dict):
        raise BadCheckpoint("tokenizer.json has no model.", hint="Download the file again.")
    for mark in ("continuing_subword_prefix", "end_of_word_suffix"):
        if model.get(mark):
            raise UnsupportedModel(
                f"tokenizer.json has the {mark} {str(model[mark])[:40]!r}, which llama.cpp does not know."
            )
    return model


def _text_of(tokenizer: JsonObject) -> str:
    import json

    return json.dumps([tokenizer.get("pre_tokenizer"), tokenizer.get("decoder")])


def tokens_by_id(model: JsonObject, added: Sequence[JsonObject]) -> dict[int, str]:
    """Give all tokens; an added one goes before the vocab's of the same id."""
    vocab = model.get("vocab")
    if not isinstance(vocab, dict) or not all(type(number) is int and number >= 0 for number in vocab.values()):
        raise BadCheckpoint("tokenizer.json has no usable vocab.", hint="Download the file again.")
    by_id: dict[int, str] = {}
    for token, number in vocab.items():
        if number in by_id:
            raise BadCheckpoint(f"tokenizer.json gives id {number} to both {by_id[number]!r} and {token!r}.")
        by_id[number] = token
    return by_id | {entry["id"]: entry["content"] for entry in added}


def _entry(number: int, token: str | None, added: JsonObject | None, codec: Codec) -> tuple[str, TokenType]:
    """Give text and type of one id. Source: llama.cpp conversion/base.py, get_vocab_base."""
    if token is None:
        return f"[PAD{number}]", TokenType.UNUSED
    if added is None:
        return token, TokenType.NORMAL
    if not added.get("normalized", True):
        token = token if _plain(token) else codec.round_trip(token)
    if added.get("special") or looks_special(token):
        return token, TokenType.CONTROL
    return token.replace("\u2581", " "), TokenType.USER_DEFINED


def _plain(token: str) -> bool:
    """Tell whether encoding and decoding surely gives the token back: so the reference need not be built for it."""
    return token.isascii() and token.isprintable() and " " not in token


def looks_special(token: str) -> bool:
    """Tell whether a text is a control token's, whatever its flags say. Source: does_token_look_special, ibid."""
    if token in ("<pad>", "<mask>", "<2mass>", "[@BOS@]"):
        return True
    framed = (("<|", "|>"), ("<\uff5c", "\uff5c>"), ("<unused", ">"))
    return any(token.startswith(first) and token.endswith(last) for first, last in framed)


def merges_of(model: Mapping[str, Any]) -> list[str]:
    """Give the merges by rank, as in BpeVocab."""
    merges = model.get("merges")
    if not isinstance(merges, list):
        raise BadCheckpoint("tokenizer.json has no merges.", hint="Download the file again.")
    return [_merge(pair) for pair in merges]


def _merge(pair: Any) -> str:
    if isinstance(pair, str):
        return pair
    if isinstance(pair, list) and len(pair) == 2 and all(isinstance(part, str) for part in pair):
        return " ".join(part.replace(" ", "\u0120") for part in pair)
    raise BadCheckpoint(f"tokenizer.json: {pair!r} is no merge.", hint="Download the file again.")
