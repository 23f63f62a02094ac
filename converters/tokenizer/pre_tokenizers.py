"""Orders llama.cpp's pre-tokenizers by how well they fit a tokenizer.json, best first.

The order is only a guess that saves time: detect.py compares ids and decides. The guess comes from splitting texts
both ways. Source of the table: llama.cpp src/llama-vocab.cpp, llama_vocab::impl::load and llm_tokenizer_bpe; the
patterns are those of the models' own tokenizer.json, of which llama.cpp's are adaptations.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

from tokenizers import Regex, Tokenizer
from tokenizers.pre_tokenizers import Sequence as Steps
from tokenizers.pre_tokenizers import Split

from converters.errors import BadCheckpoint
from converters.jsonfile import JsonObject
from converters.tokenizer.probe_texts import probe_texts

MAX_CANDIDATES = 8
"""So many different ways of splitting are worth trying; the rest is further off than all of them."""

_CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
_SPACES = r"|\s*[\r\n]+|\s+(?!\S)|\s+"
_MARKS = r"| ?[^\s\p{L}\p{N}]+[\r\n]*" + _SPACES
_MARKS_SLASH = r"| ?[^\s\p{L}\p{N}]+[\r\n/]*" + _SPACES
_LEAD = r"[^\r\n\p{L}\p{N}]?"
_CAPITALS = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]"
_SMALLS = r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
_CASED = rf"{_LEAD}{_CAPITALS}*{_SMALLS}+%s|{_LEAD}{_CAPITALS}+{_SMALLS}*%s"
_GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
_GPT4O = _CASED.replace("%s", f"{_CONTRACTIONS}?") + r"|\p{N}{1,3}" + _MARKS_SLASH
_ASCII_MARK = "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~]"
_DEEPSEEK3 = _ASCII_MARK + r"[A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*" + _SPACES
_HAN = "[一-龥぀-ゟ゠-ヿ]+"
_HAN_HANGUL = "[一-龥ࠀ-一가-퟿]+"
_BLOOM = " ?[^(\\s|.,!?…。，、।۔،)]+"
_AFMOE_SCRIPTS = "[一-鿿㐀-䶿豈-﫿぀-ゟ゠-ヿ･-ﾟ⼀-⿟เ-๿຀-໿ក-៿က-႟ꩠ-ꩿꧠ-꧿가-힯ᄀ-ᇿ]+"
_GROUPS_FROM_RIGHT = r"\d{1,3}(?=(?:\d{3})*\b)"
_NOT_HAN = r"&&[^\p{Han}]]"
KIMI_PATTERN = (
    r"[\p{Han}]+|"
    + _CASED.replace("%s", f"{_CONTRACTIONS}?").replace(r"\p{M}]", rf"\p{{M}}{_NOT_HAN}")
    + r"|\p{N}{1,3}"
    + _MARKS
)

# style -> patterns, applied one after the other to what the earlier ones left
STYLES: Mapping[str, tuple[str, ...]] = {
    "gpt2": (_GPT2,),
    "digits": (r"\p{N}", _GPT2),
    "llama3": (rf"{_CONTRACTIONS}|{_LEAD}\p{{L}}+|\p{{N}}{{1,3}}{_MARKS}",),
    "qwen2": (rf"{_CONTRACTIONS}|{_LEAD}\p{{L}}+|\p{{N}}{_MARKS}",),
    "qwen35": (rf"{_CONTRACTIONS}|{_LEAD}[\p{{L}}\p{{M}}]+|\p{{N}}| ?[^\s\p{{L}}\p{{M}}\p{{N}}]+[\r\n]*{_SPACES}",),
    "tekken": (_CASED.replace("%s", "") + r"|\p{N}" + _MARKS_SLASH,),
    "gpt4o": (_GPT4O,),
    "gpt4o_marks": (_GPT4O,),
    "tiny_aya": (_GROUPS_FROM_RIGHT, _GPT4O),
    "kimi": (KIMI_PATTERN,),
    "deepseek3": (r"\p{N}{1,3}", _HAN, _DEEPSEEK3),
    "deepseek_llm": (
        "[\r\n]", r"\s?[\p{Lu}\p{Ll}\p{Lt}]+", r"\s?[!-/:-~！-／：-～‘-‟　-。]+", r"\s+$", _HAN_HANGUL, r"\p{N}+",
    ),
    "deepseek_coder": ("[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", _HAN_HANGUL, r"\p{N}"),
    "spark": (
        r"\p{N}{1,3}", _HAN,
        _ASCII_MARK + r"[A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+|[\r\n]|\s+(?!\S)|\s+", r"\p{N}",
    ),
    "afmoe": (_GROUPS_FROM_RIGHT, _AFMOE_SCRIPTS, _DEEPSEEK3),
    "youtu": (
        "[가-힣ㄱ-ㆎ]+|[！…“”‘’—：；，、-〿︰-﹏]+|[ㄅ-ㄯ]+|[一-龥぀-ゟ゠-ヿ]+",
        _CASED.replace("%s", f"{_CONTRACTIONS}?") + r"|\p{N}" + _MARKS_SLASH,
    ),
    "minicpm5": (r"\p{N}{1,3}", rf"{_CONTRACTIONS}|{_LEAD}\p{{L}}+|\p{{N}}+{_MARKS}"),
    "seed_coder": (rf"{_CONTRACTIONS}|{_LEAD}\p{{L}}+|\p{{N}}| ?[^\s\p{{L}}\p{{N}}\r\n]+{_SPACES}",),
    "bailing": (rf"{_CONTRACTIONS}|{_LEAD}\p{{L}}+|\p{{N}}| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+",),
    "exaone_moe": (
        rf"{_CONTRACTIONS}|{_LEAD}(?:\p{{L}}\p{{M}}*(?: \p{{L}}\p{{M}}*)*)+|\p{{N}}"
        r"| ?[^\s\p{L}\p{N}]+[\r\n/]?|\s*[\r\n]|\s+(?!\S)|\s+",
    ),
    "jais2": (
        rf"{_CONTRACTIONS}|{_LEAD}\p{{L}}+|\p{{N}}{{1,3}}| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*|\s*[\r\n]+"
        r"|\s{512}(?!\S)|\s{256}(?!\S)|\s{128}(?!\S)|\s{64}(?!\S)|\s{32}(?!\S)|\s{16}(?!\S)|\s{8}(?!\S)|\s{4}(?!\S)"
        r"|\s{1,2}(?!\S)|\s",
    ),
    "laguna": (r"[^\n]+|[\n]+", rf"{_CONTRACTIONS}|{_LEAD}\p{{L}}+|\p{{N}}{_MARKS}"),
    "ufakzeka": (rf"{_LEAD}\p{{L}}+|\p{{N}}{_MARKS}",),
    "falcon": (r"[\p{P}$+<=>^~|`]+", _GPT2, "[0-9][0-9][0-9]"),
    "chameleon": (r"([\t\n]|    |  )", r"\p{N}", r"[\p{P}!-/:-@\[-`{-~]", _GPT2),
    "bloom": (_BLOOM,),
    "viking": (_BLOOM, r"\p{N}"),
    "superbpe": (r"\p{N}+", r"(?=(\d{3})+(?!\d))"),
    "default": (r"[\p{P}$+<=>^~|]+", _GPT2, r"\p{N}+", "[0-9][0-9][0-9]"),
}  # fmt: skip


@dataclass(frozen=True)
class PreTokenizer:
    """One pre-tokenizer by its name in a GGUF file, and what it does besides splitting."""

    name: str
    style: str
    ignores_merges: bool = False
    cleans_spaces: bool | None = True  # None: passes for both


_CLEAN = {
    "gpt2": ("mpt", "olmo", "jais", "phi-2", "roberta-bpe", "mellum", "modern-bert", "exaone4", "jina-v2-code",
             "gigachat", "a.x-4.0"),
    "digits": ("starcoder", "refact", "codeshell", "exaone", "minerva-7b", "mellum2"),
    "llama3": ("dbrx", "smaug-bpe", "chatglm-bpe"),
    "qwen2": ("stablelm2", "megrez"),
    "falcon": ("falcon",),
    "bloom": ("bloom", "gpt3-finnish"),
    "jais2": ("jais-2",),
    "exaone_moe": ("exaone-moe",),
    "default": ("default",),
}  # fmt: skip
_VERBATIM = {
    "gpt2": ("trillion", "granite-docling"),
    "digits": ("smollm", "command-r"),
    "qwen2": ("qwen2", "hunyuan", "solar-open", "deepseek-r1-qwen", "kormo", "f2llmv2", "grok-2"),
    "qwen35": ("qwen35",),
    "gpt4o": ("gpt-4o", "llama4", "minimax-m2", "kanana2", "talkie"),
    "tiny_aya": ("tiny_aya", "cohere2moe"),
    "deepseek3": ("deepseek-v3", "hunyuan-dense", "joyai-llm", "hy_v4"),
    "deepseek_llm": ("deepseek-llm",),
    "deepseek_coder": ("deepseek-coder",),
    "kimi": ("kimi-k2",),
    "spark": ("spark2_5",),
    "afmoe": ("afmoe",),
    "seed_coder": ("seed-coder",),
    "bailing": ("bailingmoe", "bailingmoe2", "llada-moe"),
    "laguna": ("laguna",),
    "ufakzeka": ("ufakzeka",),
    "superbpe": ("superbpe",),
    "bloom": ("poro-chat",),
    "viking": ("viking",),
    "chameleon": ("chameleon",),
}
_IGNORING_MERGES = {
    "llama3": ("llama-bpe", "glm4", "falcon3", "falcon-h1", "lfm2", "pixtral", "midm-2.0", "jina-v5-nano", "glm5"),
    "minicpm5": ("minicpm5",),
    "youtu": ("youtu",),
}

TABLE: tuple[PreTokenizer, ...] = (
    *(PreTokenizer(name, style, True) for style, names in _IGNORING_MERGES.items() for name in names),
    PreTokenizer("tekken", "tekken", True, False),
    PreTokenizer("gpt-2", "gpt2", False, None),
    *(PreTokenizer(name, style, False, False) for style, names in _VERBATIM.items() for name in names),
    *(PreTokenizer(name, style) for style, names in _CLEAN.items() for name in names),
    PreTokenizer("granite-embed-multi-97m", "gpt4o_marks", True, False),
)


class _Splitter(Protocol):
    def pre_tokenize_str(self, sequence: str) -> list[tuple[str, tuple[int, int]]]: ...


def ordered(tokenizer: JsonObject, cleans_spaces: bool, preferred: Sequence[str] = ()) -> tuple[str, ...]:
    """Give the likeliest names, best first; of those that always give the same ids only the customary one.

    tokenizer: pre_tokenizer and model.ignore_merges of tokenizer.json are looked at.
    cleans_spaces: tokenizer_config.json's clean_up_tokenization_spaces; it changes decoding, never the ids.
    preferred: names that go before all others that split alike."""
    misfits = _misfits(_splitter(tokenizer.get("pre_tokenizer")))
    ignores = bool((tokenizer.get("model") or {}).get("ignore_merges", False))

    def misfit(entry: PreTokenizer) -> tuple[int, bool, bool, bool]:
        cleans_otherwise = entry.cleans_spaces not in (None, cleans_spaces)
        return misfits[entry.style], entry.name not in preferred, entry.ignores_merges != ignores, cleans_otherwise

    customary: dict[tuple[str, bool], str] = {}
    for entry in sorted(TABLE, key=misfit):
        customary.setdefault((entry.style, entry.ignores_merges), entry.name)
    return tuple(customary.values())[:MAX_CANDIDATES]


def split_step(pattern: str) -> JsonObject:
    """Give the step of a tokenizer.json that splits by a pattern and keeps what it matches as pieces."""
    return {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}


def _misfits(wanted: _Splitter) -> dict[str, int]:
    """Give for each style how far it is from the wanted splits.

    Splitting where the model does not is worse than the reverse: it keeps tokens from being made."""
    cuts = [_cuts(wanted, text) for text in _texts()]
    return {
        style: sum(2 * bool(ours - theirs) + bool(theirs - ours) for ours, theirs in zip(table, cuts, strict=True))
        for style, table in _cuts_by_style().items()
    }


@cache
def _texts() -> tuple[str, ...]:
    return tuple(text for text in probe_texts() if len(text) < 80)


@cache
def _cuts_by_style() -> Mapping[str, Sequence[frozenset[int]]]:
    splitters = {
        style: Steps([Split(Regex(pattern), "isolated") for pattern in patterns]) for style, patterns in STYLES.items()
    }
    return {style: [_cuts(splitter, text) for text in _texts()] for style, splitter in splitters.items()}


def _cuts(splitter: _Splitter, text: str) -> frozenset[int]:
    return frozenset(start for _, (start, _) in splitter.pre_tokenize_str(text)) - {0}


class _Whole:
    """Splits nothing."""

    def pre_tokenize_str(self, sequence: str) -> list[tuple[str, tuple[int, int]]]:
        return [(sequence, (0, len(sequence)))]


def _splitter(pre_tokenizer: Any) -> _Splitter:
    """Build the model's own pre-tokenizer by the library that reads tokenizer.json."""
    if pre_tokenizer is None:
        return _Whole()
    document = {"added_tokens": [], "pre_tokenizer": pre_tokenizer, "model": {"type": "BPE", "vocab": {}, "merges": []}}
    try:
        built: _Splitter = Tokenizer.from_str(json.dumps(document)).pre_tokenizer
    except Exception as error:  # the library raises no narrower type
        raise BadCheckpoint(f"tokenizer.json: its pre_tokenizer cannot be used: {error}.") from error
    return built
