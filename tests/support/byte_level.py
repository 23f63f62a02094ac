"""Makes tokenizer.json files of byte-level BPE as well-known models have them, over small vocabularies."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer
from tokenizers.trainers import BpeTrainer

CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
TAIL = r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
CASED = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+",
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*",
)
CASED_TAIL = r" ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
HAN = "[一-龥぀-ゟ゠-ヿ]+"
CASED_LETTERS = (
    "A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-ᶚḀ-ἕἘ-Ἕἠ-ὅὈ-Ὅὐ-ὗὙὛὝὟ-\u1f7dᾀ"
    "-ᾴᾶ-ᾼ\u1fbeῂ-ῄῆ-ῌῐ-\u1fd3ῖ-\u1fdbῠ-Ῥῲ-ῴῶ-ῼℂℇℊ-ℓℕℙ-ℝℤ\u2126ℨ\u212a-ℭℯ-ℴℹℼ-ℿⅅ-ⅉⅎↃↄⰀ-ⱻⱾ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-ꞇꞋ-"
    "ꞎꭰ-ꮿﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ\U00010400-\U0001044f\U000104b0-\U000104d3\U000104d8-\U000104fb\U00010c80-\U00010cb2"
    "\U00010cc0-\U00010cf2\U000118a0-\U000118df\U0001e900-\U0001e943"
)
NFC = {"type": "NFC"}
DIGITS = {"type": "Digits", "individual_digits": True}


def byte_level(use_regex: bool = False, add_prefix_space: bool = False) -> dict[str, Any]:
    """Give the step that turns bytes into letters, after splitting as GPT-2 does if asked to."""
    return {
        "type": "ByteLevel", "add_prefix_space": add_prefix_space, "trim_offsets": True, "use_regex": use_regex,
    }  # fmt: skip


def splits(*patterns: str) -> dict[str, Any]:
    """Give a pre_tokenizer that splits by each pattern in turn."""
    steps = [{"type": "Split", "pattern": {"Regex": p}, "behavior": "Isolated", "invert": False} for p in patterns]
    return sequence(*steps, byte_level())


def sequence(*steps: Mapping[str, Any]) -> dict[str, Any]:
    """Give a pre_tokenizer of several steps."""
    return {"type": "Sequence", "pretokenizers": list(steps)}


@dataclass(frozen=True)
class Known:
    """How a model splits, by the parts of its tokenizer.json, and the customary name that llama.cpp has for it.

    exact: llama.cpp splits all scripts as the model does; else not where letters carry combining marks, nor in words
    of capitals outside ASCII."""

    pre_tokenizer: Mapping[str, Any]
    ignore_merges: bool = False
    preferred: tuple[str, ...] = ()
    normalizer: Mapping[str, Any] | None = None
    exact: bool = True
    cleans: bool = False


LLAMA3 = splits(CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|" + TAIL)
CL100K = splits(
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+"
)
QWEN2 = splits(CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}|" + TAIL)
QWEN35 = splits(
    CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
O200K = splits("|".join(f"{half}{CONTRACTIONS}?" for half in CASED) + r"|\p{N}{1,3}|" + CASED_TAIL)
TEKKEN = splits("|".join(CASED) + r"|\p{N}|" + CASED_TAIL)
KIMI = splits(
    r"[\p{Han}]+|"
    + "|".join(half.replace(r"\p{M}]", r"\p{M}&&[^\p{Han}]]") + f"{CONTRACTIONS}?" for half in CASED)
    + r"|\p{N}{1,3}|"
    + TAIL
)
DEEPSEEK3 = splits(
    r"\p{N}{1,3}",
    HAN,
    "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+"
    "| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+",
)
DEEPSEEK_LLM = splits(
    "[\r\n]",
    rf"\s?[{CASED_LETTERS}]+",
    "\\s?[!-/:-~！-／：-～‘-‟　-。]+",
    "\\s+$",
    "[一-龥ࠀ-一가-퟿]+",
    "\\p{N}+",
)
DEEPSEEK_CODER = splits("[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", "[一-龥ࠀ-一가-퟿]+")
DEEPSEEK_CODER["pretokenizers"].insert(4, DIGITS)
FALCON = sequence(
    {"type": "Punctuation", "behavior": "Contiguous"},
    byte_level(use_regex=True),
    {"type": "Digits", "individual_digits": False},
    {"type": "Split", "pattern": {"Regex": "[0-9][0-9][0-9]"}, "behavior": "Isolated", "invert": False},
)
GPT2 = byte_level(use_regex=True)
STARCODER = sequence(DIGITS, byte_level(use_regex=True))
SEED = splits(CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1}| ?[^\s\p{L}\p{N}\r\n]+|\s*[\r\n]+|\s+(?!\S)|\s+")

KNOWN: Mapping[str, Known] = {
    "llama-bpe": Known(LLAMA3, ignore_merges=True, cleans=True),
    "lfm2": Known(LLAMA3, ignore_merges=True, preferred=("lfm2",)),
    "glm4": Known(LLAMA3, ignore_merges=True, preferred=("glm4",)),
    "smaug-bpe": Known(LLAMA3, preferred=("smaug-bpe",)),
    "dbrx": Known(CL100K, preferred=("dbrx",)),
    "qwen2": Known(QWEN2, normalizer=NFC),
    "qwen35": Known(QWEN35, normalizer=NFC),
    "deepseek-v3": Known(DEEPSEEK3, normalizer={"type": "Sequence", "normalizers": []}),
    "hunyuan-dense": Known(DEEPSEEK3, preferred=("hunyuan-dense",)),
    "deepseek-llm": Known(DEEPSEEK_LLM),
    "deepseek-coder": Known(DEEPSEEK_CODER),
    "gpt-4o": Known(O200K, preferred=("gpt-4o",), exact=False),
    "tekken": Known(TEKKEN, ignore_merges=True, exact=False),
    "kimi-k2": Known(KIMI, exact=False),
    "smollm": Known(STARCODER),
    "starcoder": Known(STARCODER, cleans=True),
    "refact": Known(STARCODER, preferred=("refact",), cleans=True),
    "command-r": Known(STARCODER, preferred=("command-r",), normalizer=NFC),
    "gpt-2": Known(GPT2),
    "olmo": Known(GPT2, preferred=("olmo",), normalizer=NFC, cleans=True),
    "exaone4": Known(GPT2, preferred=("exaone4",), normalizer=NFC),
    "falcon": Known(FALCON, cleans=True),
    "seed-coder": Known(SEED),
}


def trained(known: Known, texts: Sequence[str], n_tokens: int = 900) -> dict[str, Any]:
    """Give a tokenizer.json whose merges are learned from the texts, split as the model splits them."""
    document: dict[str, Any] = {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "post_processor": None,
        "normalizer": known.normalizer, "pre_tokenizer": known.pre_tokenizer,
        "decoder": byte_level(use_regex=True), "model": {"type": "BPE", "vocab": {}, "merges": []},
    }  # fmt: skip
    tokenizer = Tokenizer.from_str(json.dumps(document))
    alphabet = sorted(_alphabet())
    tokenizer.train_from_iterator(
        texts,
        BpeTrainer(vocab_size=n_tokens, initial_alphabet=alphabet, special_tokens=["<|end|>"], show_progress=False),
    )
    made: dict[str, Any] = json.loads(tokenizer.to_str())
    made["model"]["ignore_merges"] = known.ignore_merges
    return made


def _alphabet() -> list[str]:
    from tokenizers.pre_tokenizers import ByteLevel

    return list(ByteLevel.alphabet())


def write_tokenizer_json(folder: Path, document: Mapping[str, Any], cleans: bool = False) -> None:
    """Write tokenizer.json and a tokenizer_config.json that says whether decoding removes spaces."""
    (folder / "tokenizer.json").write_text(json.dumps(document), encoding="utf-8")
    settings = {"clean_up_tokenization_spaces": cleans, "eos_token": "<|end|>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
