"""Recipes of tokenizers and chat templates that do not fit together."""

from tests.support.gguf_builder import TEXT
from tests.support.malformed import Recipe, of
from tests.support.malformed_base import (
    Parts,
    array,
    bpe_model,
    bpe_tokens,
    f32s,
    i32s,
    spm_model,
    spm_tokens,
    string,
    strings,
    u32,
)

TOKENS, TYPES, SCORES = "tokenizer.ggml.tokens", "tokenizer.ggml.token_type", "tokenizer.ggml.scores"
MERGES, KIND, TEMPLATE = "tokenizer.ggml.merges", "tokenizer.ggml.model", "tokenizer.chat_template"


def tokenizer_recipes() -> list[Recipe]:
    """Return the recipes."""
    return [*_tokens(), *_lists(), *_kinds(), *_specials(), *_templates()]


def _tokens() -> list[Recipe]:
    base, tokens = bpe_model(), bpe_tokens()

    def listed(changed: list[str | bytes]) -> Parts:
        return base.where(TOKENS, strings(changed))

    return [
        of("no tokens", base.where(TOKENS, None)),
        of("tokens that are numbers", base.where(TOKENS, i32s([1] * len(tokens)))),
        of("tokens that are one text", base.where(TOKENS, string("abc"))),
        of("an empty list of tokens", base.where(TOKENS, array(TEXT, []))),
        of("ten tokens too few", listed(list(tokens[:-10]))),
        of("ten tokens too many", listed([*tokens, *(f"more {n}" for n in range(10))])),
        of("3 tokens twice", listed([*tokens[:-3], *tokens[:3]]), aborts=True),
        of("2 tokens equal up to a zero byte", listed([*tokens[:-2], b"x\0one", b"x\0two"]), aborts=True),
        of("tokens that begin with a zero byte", listed([*tokens[:-2], b"\0one", b"\0two"]), whole=True),
        of("empty tokens", listed(["", "", *tokens[2:]]), whole=True),
        of("tokens that are no UTF-8", listed([b"\xff", b"\xfe\x80", *tokens[2:]]), whole=True),
        of("a token of 2 MB", listed([*tokens[:-1], "x" * (2 << 20)]), whole=True),
        of("one token", listed(["a"])),
    ]


def _lists() -> list[Recipe]:
    bpe, spm, n = bpe_model(), spm_model(), len(spm_tokens())
    return [
        of("token types too few", bpe.where(TYPES, i32s([1] * 100))),
        of("token types too many", bpe.where(TYPES, i32s([1] * 1000)), whole=True),
        of("token types that are real", bpe.where(TYPES, f32s([1.0] * len(bpe_tokens())))),
        of("no token types", bpe.where(TYPES, None), whole=True),
        of("token types of 99", bpe.where(TYPES, i32s([99] * len(bpe_tokens())))),
        of("every token a byte, byte-level", bpe.where(TYPES, i32s([6] * len(bpe_tokens())))),
        of("every token a byte, SentencePiece", spm.where(TYPES, i32s([6] * n))),
        of("scores too few", spm.where(SCORES, f32s([0.0] * 10))),
        of("scores too many", spm.where(SCORES, f32s([0.0] * (n + 10))), whole=True),
        of("scores that are NaN", spm.where(SCORES, f32s([float("nan")] * n)), whole=True),
        of("scores that are texts", spm.where(SCORES, strings(["0"] * n))),
        of("no scores", spm.where(SCORES, None), whole=True),
        of("no merges", bpe.where(MERGES, None)),
        of("merges that are numbers", bpe.where(MERGES, i32s([1, 2]))),
        of("merges without a space", bpe.where(MERGES, strings(["Hi", "", " ", "a b c"]))),
        of("an empty list of merges", bpe.where(MERGES, array(TEXT, [])), whole=True),
    ]


def _kinds() -> list[Recipe]:
    bpe, spm = bpe_model(), spm_model()
    plamo = [*spm_tokens()]
    plamo[3], plamo[4] = "<0x-1>", "<0xZZ>"
    return [
        of("SentencePiece's name on byte-level tokens", bpe.where(KIND, string("llama")), aborts=True),
        of("byte-level's name on pieces", spm.where(KIND, string("gpt2"))),
        *(of(f"called {kind}", bpe.where(KIND, string(kind))) for kind in ("bert", "t5", "rwkv", "plamo2", "gemma4")),
        *(of(f"pieces called {kind}", spm.where(KIND, string(kind))) for kind in ("bert", "t5", "rwkv", "plamo2")),
        of("no_vocab", bpe.where(KIND, string("no_vocab")), aborts=True),
        of("none", bpe.where(KIND, string("none")), aborts=True),
        of("an unknown tokenizer", bpe.where(KIND, string("abacus"))),
        of("a tokenizer that is a number", bpe.where(KIND, u32(1))),
        of("no tokenizer", bpe.where(KIND, None)),
        of("an unknown pre-tokenizer", bpe.where("tokenizer.ggml.pre", string("abacus"))),
        of("PLaMo-2's broken byte tokens", spm.where(KIND, string("plamo2")).where(TOKENS, strings(list(plamo)))),
        of("SentencePiece's broken byte tokens", spm.where(TOKENS, strings(list(plamo)))),
        of("SentencePiece without bytes", _without_bytes(spm)),
    ]


def _without_bytes(spm: Parts) -> Parts:
    """Every byte token renamed: letters that no piece spells cannot be said."""
    return spm.where(TOKENS, strings([token.replace("<0x", "<byte ") for token in spm_tokens()]))


def _specials() -> list[Recipe]:
    bpe, spm = bpe_model(), spm_model()
    return [
        of("bos 2^31", bpe.where("tokenizer.ggml.bos_token_id", u32(2**31)), whole=True),
        of("eos 2^32 - 1", bpe.where("tokenizer.ggml.eos_token_id", u32(2**32 - 1)), whole=True),
        of("bos as a text", bpe.where("tokenizer.ggml.bos_token_id", string("<s>"))),
        of("add_bos as a number", bpe.where("tokenizer.ggml.add_bos_token", u32(1))),
        of("bos added, but none", spm.where("tokenizer.ggml.bos_token_id", u32(2**31)), whole=True),
        of(
            "suppressed tokens out of range", bpe.where("tokenizer.ggml.suppress_tokens", i32s([-1, 10**6])), whole=True
        ),
    ]


def _templates() -> list[Recipe]:
    base = bpe_model()
    return [
        of("no template", base.where(TEMPLATE, None), whole=True),
        of("a template that is a number", base.where(TEMPLATE, u32(5))),
        of("a template that is a list", base.where(TEMPLATE, i32s([1, 2, 3]))),
        of("a template of 20 MB", base.where(TEMPLATE, string("x" * 20_000_000)), whole=True),
        of("a template that is no Jinja", base.where(TEMPLATE, string("{% for %}{{")), whole=True),
        of("a template that is no UTF-8", base.where(TEMPLATE, string(b"\xff\xfe{{")), whole=True),
    ]
