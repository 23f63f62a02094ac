"""Reads Mistral's tekken.json: special tokens first, then tokens by rank; no merges.

Source: mistral_common tokens/tokenizers/tekken.py for the file, llama.cpp conversion/base.py, _set_vocab_mistral, for
what a GGUF file is given.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from converters.errors import BadCheckpoint
from converters.jsonfile import JsonObject, read_object, read_optional
from converters.tokenizer.loaded import MAX_TOKENS, LoadedTokenizer
from converters.tokenizer.pre_tokenizers import ordered, split_step
from converters.tokenizer.ranks import (
    RankEncoder,
    all_halves,
    merges,
    read_ranks,
    token_list,
    token_types,
    written_tokens,
)
from converters.tokenizer.special import template_metadata
from converters.values import Value, flag, i32s, text, texts, u32

FILE_NAME = "tekken.json"
_HINT = "Download the file again."

# what files up to version 7 mean when they list none; the other places up to 1000 are fillers
OLD_SPECIAL = (
    "<unk>", "<s>", "</s>", "[INST]", "[/INST]", "[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]", "[TOOL_RESULTS]",
    "[/TOOL_RESULTS]", "[TOOL_CALLS]", "[IMG]", "<pad>", "[IMG_BREAK]", "[IMG_END]", "[PREFIX]", "[MIDDLE]",
    "[SUFFIX]", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]", "[TOOL_CONTENT]",
)  # fmt: skip

# The plain conversation of a model whose folder has no template; upstream writes a name there that only llama.cpp's
# own code understands. Both render as llama.cpp's mistral-v3-tekken and mistral-v7-tekken do.
_OLD_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}{% if message.role == 'assistant' %}"
    "{{ message.content }}{{ eos_token }}{% else %}"
    "{% if loop.first or loop.previtem.role == 'assistant' %}[INST]{% endif %}{{ message.content }}"
    "{% if message.role == 'system' %}{{ '\\n\\n' }}{% else %}[/INST]{% endif %}{% endif %}{% endfor %}"
)
_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}{% if message.role == 'system' %}"
    "[SYSTEM_PROMPT]{{ message.content }}[/SYSTEM_PROMPT]{% elif message.role == 'user' %}"
    "[INST]{{ message.content }}[/INST]{% else %}{{ message.content }}{{ eos_token }}{% endif %}{% endfor %}"
)
_OLD_VERSIONS = ("v1", "v2", "v3")


def load(folder: Path, config: JsonObject, n_vocab: int, preferred: Sequence[str] = ()) -> LoadedTokenizer | None:
    """Read tekken.json; None when there is none, or a tokenizer.json beside it, which says the same and more."""
    path = folder / FILE_NAME
    if not path.is_file() or (folder / "tokenizer.json").is_file():
        return None
    document = read_object(path)
    tokenizer_config = read_optional(folder / "tokenizer_config.json")
    settings = document.get("config")
    if not isinstance(settings, dict) or not isinstance(settings.get("pattern"), str):
        raise BadCheckpoint(f"{FILE_NAME} has no config with a pattern.", hint=_HINT)
    n_special = _count(settings, "default_num_special_tokens")
    special = _special(document, n_special)
    ranks = read_ranks(_entries(document, _count(settings, "default_vocab_size") - n_special), FILE_NAME)
    reference = RankEncoder(ranks, n_special, settings["pattern"], special, FILE_NAME)
    letters = written_tokens(ranks)
    ranked = {rank + n_special: letters[token] for token, rank in ranks.items()}
    tokens = token_list(ranked, special, n_vocab, FILE_NAME)
    return LoadedTokenizer(
        config=tokenizer_config,
        values={
            "tokenizer.ggml.model": text("gpt2"),
            "tokenizer.ggml.tokens": texts(tokens),
            "tokenizer.ggml.scores": i32s([0] * n_vocab),
            "tokenizer.ggml.token_type": i32s(token_types(n_vocab, ranked, special)),
            "tokenizer.ggml.merges": texts(merges(all_halves(ranks), letters)),
            **_special_metadata(special),
            **(template_metadata(folder, tokenizer_config) or _plain_template(settings)),
        },
        n_tokens=n_vocab,
        candidates=_candidates(settings["pattern"], preferred),
        special_tokens=tuple(special),
        reference=reference,
    )


def _candidates(pattern: str, preferred: Sequence[str]) -> tuple[str, ...]:
    splitting = {"pre_tokenizer": split_step(pattern), "model": {"ignore_merges": True}}
    return ordered(splitting, cleans_spaces=False, preferred=("tekken", *preferred))


def _count(settings: Mapping[str, Any], key: str) -> int:
    value = settings.get(key)
    if type(value) is int and 0 < value <= MAX_TOKENS:
        return value
    raise BadCheckpoint(f"{FILE_NAME}: {key} is {value!r}, which is no count of tokens.", hint=_HINT)


def _special(document: JsonObject, n_special: int) -> dict[str, int]:
    """Give special tokens by text with their ids, fillers included."""
    entries = document.get("special_tokens")
    if entries is not None and not isinstance(entries, list):
        raise BadCheckpoint(f"{FILE_NAME}: special_tokens is no list.", hint=_HINT)
    names = list(OLD_SPECIAL) if entries is None else [_special_name(entry, i) for i, entry in enumerate(entries)]
    names += [f"<SPECIAL_{i}>" for i in range(len(names), n_special)]
    special = {name: i for i, name in enumerate(names)}
    if len(special) != n_special:
        raise BadCheckpoint(
            f"{FILE_NAME} has {len(special):,} different special tokens of {len(names):,} for {n_special:,} places.",
            hint=_HINT,
        )
    lacking = [name for name in ("<s>", "</s>", "<unk>") if name not in special]
    if lacking:
        raise BadCheckpoint(f"{FILE_NAME} has no special token {', '.join(lacking)}.", hint=_HINT)
    return special


def _special_name(entry: Any, number: int) -> str:
    if isinstance(entry, dict) and entry.get("rank") == number and isinstance(entry.get("token_str"), str):
        return str(entry["token_str"])
    raise BadCheckpoint(f"{FILE_NAME}: special token {number} has another rank, or no text.", hint=_HINT)


def _entries(document: JsonObject, n_ranks: int) -> Iterator[tuple[str, int]]:
    """Give the tokens and ranks that count: the file holds more of them than the model knows."""
    vocab = document.get("vocab")
    if not isinstance(vocab, list) or not 256 <= n_ranks <= len(vocab):
        n_there = len(vocab) if isinstance(vocab, list) else 0
        raise BadCheckpoint(f"{FILE_NAME} has {n_there:,} tokens; its config speaks of {n_ranks:,}.", hint=_HINT)
    for number, entry in enumerate(vocab[:n_ranks], 1):
        known = isinstance(entry, dict)
        token, rank = (entry.get("token_bytes"), entry.get("rank")) if known else (None, None)
        if not isinstance(token, str) or type(rank) is not int:
            raise BadCheckpoint(f"{FILE_NAME}, token {number} has no bytes or no rank.", hint=_HINT)
        yield token, rank


def _special_metadata(special: Mapping[str, int]) -> dict[str, Value]:
    ids = {"bos": special["<s>"], "eos": special["</s>"], "unknown": special["<unk>"]}
    ids["padding"] = special.get("<pad>", ids["eos"])
    values = {f"tokenizer.ggml.{kind}_token_id": u32(number) for kind, number in ids.items()}
    return values | {"tokenizer.ggml.add_bos_token": flag(True), "tokenizer.ggml.add_eos_token": flag(False)}


def _plain_template(settings: Mapping[str, Any]) -> dict[str, Value]:
    old = settings.get("version") in _OLD_VERSIONS
    return {"tokenizer.chat_template": text(_OLD_TEMPLATE if old else _TEMPLATE)}
