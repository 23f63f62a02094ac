"""Reads Gemma 4's tokenizer: merged by ranks, with spaces written as SentencePiece does, and bytes for the rest.

Source of the rules: llama.cpp conversion/gemma.py, Gemma4Model.set_vocab.
"""

from collections.abc import Sequence
from pathlib import Path

from converters.jsonfile import JsonObject, read_optional
from converters.tokenizer.bpe import added_tokens, merges_of, model_of
from converters.tokenizer.loaded import HfTokenizer, LoadedTokenizer, TokenType
from converters.tokenizer.scored import ADDED_SCORE, Token, padded, probed_tokens, scored_values
from converters.tokenizer.special import special_metadata, template_metadata
from converters.tokenizer.spm_bpe import FILE_NAME, ranked_tokens, read_byte_fallback
from converters.values import flag, texts

# shown even where control tokens are not, because whoever reads the model's answer looks for them
_VISIBLE = frozenset(
    ("<|channel>", "<channel|>", "<|tool_call>", "<tool_call|>", "<|tool_response>", "<tool_response|>", '<|"|>')
)


def load(folder: Path, config: JsonObject, n_vocab: int, preferred: Sequence[str] = ()) -> LoadedTokenizer | None:
    """Read tokenizer.json, cut or padded to n_vocab tokens; None when there is none of this kind.

    preferred: not used."""
    tokenizer = read_byte_fallback(folder)
    if tokenizer is None:
        return None
    tokenizer_config = read_optional(folder / "tokenizer_config.json")
    added = added_tokens(tokenizer, tokenizer_config)
    tokens = [_shown(token) for token in padded(ranked_tokens(tokenizer, added), n_vocab)]
    return LoadedTokenizer(
        config=tokenizer_config,
        values={
            **scored_values("gemma4", tokens),
            "tokenizer.ggml.merges": texts(merges_of(model_of(tokenizer))),
            **special_metadata(tokenizer, tokenizer_config, config, added, n_vocab),
            **template_metadata(folder, tokenizer_config),
            "tokenizer.ggml.add_space_prefix": flag(False),
            "tokenizer.ggml.add_bos_token": flag(True),
        },
        n_tokens=n_vocab,
        candidates=("gemma4",),
        special_tokens=probed_tokens(tokens),
        reference=HfTokenizer.from_file(folder / FILE_NAME),
        names_pre=False,
    )


def _shown(token: Token) -> Token:
    """Give the token as the file has it: no score counts, and some control tokens are shown."""
    kind = TokenType.USER_DEFINED if token.text in _VISIBLE else token.type
    return Token(token.text, ADDED_SCORE, kind)
