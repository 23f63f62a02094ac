"""Byte-level BPE whose file has tokens by rank and no merges, as tiktoken and Mistral's tekken keep it.

A pair of neighbours may be joined when the joined bytes are a token; the lowest rank goes first, then the leftmost
pair. A piece that is a token as a whole is never taken apart. Source: tiktoken src/lib.rs.
"""

import re
from base64 import b64decode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import pairwise

from tokenizers import Regex
from tokenizers.pre_tokenizers import Split

from converters.errors import BadCheckpoint
from converters.tokenizer.bpe import require_different
from converters.tokenizer.loaded import MAX_TOKENS, TokenType

Ranks = dict[bytes, int]
MAX_TOKEN_BYTES = 4096
_HINT = "Download the file again."


def _byte_letters() -> tuple[str, ...]:
    """Give each byte's visible letter. Source: GPT-2's encoder.py, bytes_to_unicode."""
    visible = {*range(33, 127), *range(161, 173), *range(174, 256)}
    hidden = [byte for byte in range(256) if byte not in visible]
    return tuple(chr(byte) if byte in visible else chr(256 + hidden.index(byte)) for byte in range(256))


_LETTERS = dict(enumerate(_byte_letters()))


def written(token: bytes) -> str:
    """Write a token as byte-level BPE does: one visible letter for each byte."""
    return token.decode("latin-1").translate(_LETTERS)


def written_tokens(ranks: Ranks) -> dict[bytes, str]:
    """Write every token."""
    return {token: written(token) for token in ranks}


def read_ranks(entries: Iterable[tuple[str, int]], file_name: str) -> Ranks:
    """Check tokens (base64) and their ranks; gives them in the order of ranks.

    Raises BadCheckpoint, naming the line: no base64, a token or a rank that is there twice, a missing rank or byte."""
    by_rank: dict[int, bytes] = {}
    for number, (encoded, rank) in enumerate(entries, 1):
        if not 0 <= rank < MAX_TOKENS or rank in by_rank:
            raise BadCheckpoint(f"{file_name}, token {number}: {rank} is no rank, or is there twice.", hint=_HINT)
        by_rank[rank] = _token(encoded, file_name, number)
    ranks = {by_rank[rank]: rank for rank in sorted(by_rank)}
    missing = next((rank for rank in range(len(by_rank)) if rank not in by_rank), None)
    if missing is not None:
        raise BadCheckpoint(f"{file_name} has {len(by_rank):,} tokens, but none of rank {missing:,}.", hint=_HINT)
    if len(ranks) < len(by_rank):
        twice = next(token for rank, token in by_rank.items() if ranks[token] != rank)
        raise BadCheckpoint(f"{file_name} has the token {twice[:40]!r} twice.", hint=_HINT)
    lacking = [byte for byte in range(256) if bytes([byte]) not in ranks]
    if lacking:
        raise BadCheckpoint(f"{file_name} has no token for {len(lacking)} of 256 bytes.", hint=_HINT)
    return ranks


def _token(encoded: str, file_name: str, number: int) -> bytes:
    try:
        token = b64decode(encoded, validate=True)
    except ValueError as error:
        raise BadCheckpoint(f"{file_name}, token {number}: {encoded[:40]!r} is no base64.", hint=_HINT) from error
    if not 0 < len(token) <= MAX_TOKEN_BYTES:
        raise BadCheckpoint(f"{file_name}, token {number} is {len(token):,} bytes long.", hint=_HINT)
    return token


def all_halves(ranks: Ranks) -> Iterator[tuple[bytes, bytes]]:
    """Give every way to make a token of two others, by the rank of the token, then of the halves.

    All of them, as llama.cpp's gguf-py does for tekken (vocab.py, MistralVocab)."""
    rank_of = ranks.get
    for token in ranks:
        pairs = [
            (left, right, i)
            for i in range(1, len(token))
            if (left := rank_of(token[:i])) is not None and (right := rank_of(token[i:])) is not None
        ]
        yield from ((token[:i], token[i:]) for _, _, i in sorted(pairs))


def last_halves(ranks: Ranks) -> Iterator[tuple[bytes, bytes]]:
    """Give, token by token in the order of ranks, the two halves that lower ranks alone lead to.

    A token that they do not lead to has none. Source: llama.cpp conversion/qwen.py, QwenModel.bpe."""
    for token, rank in ranks.items():
        parts = _joined(ranks, token, rank)
        if len(parts) == 2:
            yield parts[0], parts[1]


def merges(halves: Iterable[tuple[bytes, bytes]], letters: Mapping[bytes, str]) -> list[str]:
    """Write halves as a GGUF file holds them; letters: each token as it is written."""
    return [f"{letters[left]} {letters[right]}" for left, right in halves]


def _joined(ranks: Ranks, piece: bytes, limit: int) -> list[bytes]:
    """Join a piece's bytes as long as a pair has a rank below the limit."""
    parts = [piece[i : i + 1] for i in range(len(piece))]
    pairs = [ranks.get(left + right, limit) for left, right in pairwise(parts)]
    while pairs:
        lowest = min(pairs)
        if lowest >= limit:
            break
        at = pairs.index(lowest)
        parts[at : at + 2] = [parts[at] + parts[at + 1]]
        del pairs[at]
        if at > 0:
            pairs[at - 1] = ranks.get(parts[at - 1] + parts[at], limit)
        if at < len(pairs):
            pairs[at] = ranks.get(parts[at] + parts[at + 1], limit)
    return parts


class RankEncoder:
    """The reference for tokens by rank: splits by the model's own pattern, then joins bytes; knows no merges."""

    def __init__(self, ranks: Ranks, first_id: int, pattern: str, special: Mapping[str, int], file_name: str) -> None:
        self._ranks = ranks
        self._first_id = first_id
        self._split = _split(pattern, file_name)
        self._special = special
        longest_first = sorted(special, key=len, reverse=True)
        self._special_pattern = re.compile("|".join(map(re.escape, longest_first)) or "(?!)")
        self._ids = lru_cache(maxsize=100_000)(self._piece_ids)

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Give the ids of each text, nothing added; special tokens in a text are found."""
        return [list(self._text_ids(text)) for text in texts]

    def _text_ids(self, text: str) -> Iterator[int]:
        start = 0
        for found in self._special_pattern.finditer(text):
            yield from self._plain_ids(text[start : found.start()])
            yield self._special[found[0]]
            start = found.end()
        yield from self._plain_ids(text[start:])

    def _plain_ids(self, text: str) -> Iterator[int]:
        for piece, _ in self._split.pre_tokenize_str(text) if text else ():
            yield from self._ids(piece.encode("utf-8"))

    def _piece_ids(self, piece: bytes) -> list[int]:
        parts = [piece] if piece in self._ranks else _joined(self._ranks, piece, MAX_TOKENS)
        return [self._ranks[part] + self._first_id for part in parts]


def _split(pattern: str, file_name: str) -> Split:
    try:
        return Split(Regex(pattern), "isolated")
    except Exception as error:  # the library raises no narrower type
        raise BadCheckpoint(f"{file_name}: its pattern cannot be used: {error}.", hint=_HINT) from error


def token_list(ranked: Mapping[int, str], special: Mapping[str, int], n_vocab: int, file_name: str) -> list[str]:
    """Give the text of every id up to n_vocab, with [PADi] for ids that nothing has.

    Raises BadCheckpoint when the ids reach further, or two tokens are written alike (llama.cpp aborts on them)."""
    by_id = {**ranked, **{number: token for token, number in special.items()}}
    largest = max(by_id, default=-1)
    if largest >= n_vocab or n_vocab > MAX_TOKENS:
        raise BadCheckpoint(
            f"{file_name} gives ids up to {largest:,}, but config.json's vocab_size is {n_vocab:,}.",
            hint="Tokenizer and weights are of different models or versions.",
        )
    tokens = [by_id.get(number, f"[PAD{number}]") for number in range(n_vocab)]
    require_different(tokens, file_name)
    return tokens


def token_types(n_vocab: int, ranked: Mapping[int, str], special: Mapping[str, int]) -> list[TokenType]:
    """Give the type of every id: normal, control (special) or unused."""
    control = set(special.values())
    return [
        TokenType.CONTROL if number in control else TokenType.NORMAL if number in ranked else TokenType.UNUSED
        for number in range(n_vocab)
    ]
