"""Makes the reference tokenizer of a tokenizer.model, of the `tokenizers` library's own parts.

The pieces become merges in the order of their scores, as HF's converter of SentencePiece models does it; each stretch
of text between special tokens is cut by itself.
"""

from collections.abc import Iterator, Sequence

from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers

from converters.tokenizer.loaded import TokenType
from converters.tokenizer.scored import SPACE, Token
from converters.tokenizer.sentencepiece_model import SentencePieceModel

_MATCHED = (TokenType.UNKNOWN, TokenType.CONTROL, TokenType.USER_DEFINED)


def reference_tokenizer(model: SentencePieceModel, tokens: Sequence[Token]) -> Tokenizer:
    """Build the tokenizer; tokens are the pieces with all that was added to them."""
    unknown = next((i for i, piece in enumerate(model.pieces) if piece.type is TokenType.UNKNOWN), None)
    tokenizer = Tokenizer(
        models.BPE(
            vocab={token.text: i for i, token in enumerate(tokens)},
            merges=list(merges_by_score(tokens)),
            unk_token=None if unknown is None else tokens[unknown].text,
            fuse_unk=True,
            byte_fallback=any(token.type is TokenType.BYTE for token in tokens),
        )
    )
    tokenizer.normalizer = normalizers.Sequence(list(_normalizers(model)))
    tokenizer.add_tokens(
        [AddedToken(token.text, normalized=False) for token in tokens if token.type in _MATCHED and token.text]
    )
    return tokenizer


def merges_by_score(tokens: Sequence[Token]) -> Iterator[tuple[str, str]]:
    """Give every pair of normal tokens that joins to another one, the best score first."""
    normal = {token.text: token.score for token in tokens if token.type is TokenType.NORMAL}
    for text in sorted(normal, key=lambda text: -normal[text]):
        for i in range(1, len(text)):
            left, right = text[:i], text[i:]
            if left in normal and right in normal:
                yield left, right


def _normalizers(model: SentencePieceModel) -> Iterator[normalizers.Normalizer]:
    if model.charsmap:
        yield normalizers.Precompiled(model.charsmap)
    if model.removes_extra_spaces:
        yield normalizers.Strip()
        yield normalizers.Replace(Regex(" {2,}"), " ")
    if model.adds_dummy_prefix:
        yield normalizers.Prepend(SPACE)
    yield normalizers.Replace(" ", SPACE)
