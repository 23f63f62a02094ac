"""Orders llama.cpp's pre-tokenizers by how well they fit a tokenizer.json, best first.

The order is only a guess that saves time: detect.py compares ids and decides. Source of the table: llama.cpp
src/llama-vocab.cpp, llama_vocab::impl::load and llm_tokenizer_bpe.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from converters.jsonfile import JsonObject


@dataclass(frozen=True)
class PreTokenizer:
    """One pre-tokenizer by its name in a GGUF file, and what it does besides splitting."""

    name: str
    style: str
    ignores_merges: bool = False
    cleans_spaces: bool | None = True  # None: passes for both


_CLEAN = {
    "gpt2": ("mpt", "olmo", "jais", "phi-2", "roberta-bpe", "mellum", "modern-bert", "exaone4", "jina-v2-code"),
    "digits": ("starcoder", "refact", "codeshell", "exaone", "minerva-7b", "mellum2"),
    "llama3": ("dbrx", "smaug-bpe", "chatglm-bpe"),
    "qwen2": ("stablelm2", "megrez"),
    "other": ("falcon", "bloom", "gpt3-finnish", "jais-2", "exaone-moe", "default"),
}
_VERBATIM = {
    "gpt2": ("trillion", "granite-docling"),
    "digits": ("smollm", "command-r"),
    "qwen2": ("qwen2", "hunyuan", "solar-open", "deepseek-r1-qwen", "kormo", "f2llmv2", "grok-2", "ufakzeka", "laguna"),
    "qwen35": ("qwen35",),
    "gpt4o": ("gpt-4o", "llama4", "minimax-m2", "kanana2", "tiny_aya"),
    "deepseek3": ("deepseek-v3", "hunyuan-dense", "joyai-llm", "hy_v4", "spark2_5", "afmoe"),
    "other": ("deepseek-llm", "deepseek-coder", "seed-coder", "bailingmoe", "superbpe", "viking",
              "poro-chat", "chameleon", "kimi-k2"),
}  # fmt: skip
_IGNORING_MERGES = {
    "llama3": ("llama-bpe", "glm4", "minicpm5", "falcon3", "lfm2", "pixtral"),
    "other": ("youtu",),
}

TABLE: tuple[PreTokenizer, ...] = (
    *(PreTokenizer(name, style, True) for style, names in _IGNORING_MERGES.items() for name in names),
    PreTokenizer("tekken", "tekken", True, False),
    PreTokenizer("granite-embed-multi-97m", "gpt4o", True, False),
    PreTokenizer("gpt-2", "gpt2", False, None),
    *(PreTokenizer(name, style, False, False) for style, names in _VERBATIM.items() for name in names),
    *(PreTokenizer(name, style) for style, names in _CLEAN.items() for name in names),
)

# style -> (parts that the patterns must hold, parts that they must not)
_MARKS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "deepseek3": ((r"\p{N}{1,3}", "一-龥"), ()),
    "gpt4o": ((r"\p{Lu}", r"\p{N}{1,3}"), ()),
    "tekken": ((r"\p{Lu}",), (r"\p{N}{1,3}",)),
    "qwen35": ((r"[\p{L}\p{M}]",), (r"\p{N}{1,3}",)),
    "llama3": ((r"?\p{L}+", r"\p{N}{1,3}"), ()),
    "qwen2": ((r"?\p{L}+", r"\p{N}|"), (r"\p{N}{1,3}",)),
}


def ordered(tokenizer: JsonObject, cleans_spaces: bool, preferred: Sequence[str] = ()) -> tuple[str, ...]:
    """Give every known name, the likeliest first.

    cleans_spaces: tokenizer_config.json's clean_up_tokenization_spaces; it changes decoding, never the ids.
    preferred: names that go before all others that fit as well."""
    style = _style(tokenizer.get("pre_tokenizer"))
    ignores = bool((tokenizer.get("model") or {}).get("ignore_merges", False))

    def misfit(entry: PreTokenizer) -> tuple[bool, bool, bool, bool]:
        cleans_otherwise = entry.cleans_spaces not in (None, cleans_spaces)
        return entry.style != style, entry.ignores_merges != ignores, entry.name not in preferred, cleans_otherwise

    return tuple(entry.name for entry in sorted(TABLE, key=misfit))


def _style(pre_tokenizer: Any) -> str:
    steps = _steps(pre_tokenizer)
    patterns = "\n".join(_pattern(step) for step in steps)
    for style, (needed, barred) in _MARKS.items():
        if all(part in patterns for part in needed) and not any(part in patterns for part in barred):
            return style
    single_digits = any(step.get("type") == "Digits" and step.get("individual_digits") for step in steps)
    if single_digits or r"\p{N}" in patterns.split("\n"):
        return "digits"
    return "gpt2" if any(step.get("type") == "ByteLevel" and step.get("use_regex", True) for step in steps) else "other"


def _steps(pre_tokenizer: Any) -> list[JsonObject]:
    if not isinstance(pre_tokenizer, dict):
        return []
    inner = pre_tokenizer.get("pretokenizers")
    if isinstance(inner, list):
        return [step for entry in inner for step in _steps(entry)]
    return [pre_tokenizer]


def _pattern(step: JsonObject) -> str:
    pattern = step.get("pattern")
    if isinstance(pattern, dict):
        return str(pattern.get("Regex") or pattern.get("String") or "")
    return json.dumps(pattern) if pattern else ""
