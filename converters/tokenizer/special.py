"""Works out special token ids, which of them are added to a prompt, and the chat template, from JSON alone.

Source of the rules: llama.cpp gguf-py/gguf/vocab.py, SpecialVocab (of the commit that the engine carries).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from string import ascii_letters, digits
from typing import Any

from converters.errors import BadCheckpoint
from converters.jsonfile import JsonObject, read_optional
from converters.tokenizer.loaded import ID_KEYS, MAX_TOKENS
from converters.values import Value, flag, text, texts, u32

_STATED = ("bos", "eos", "unk", "sep", "pad", "cls", "mask")
_SPARE = ("eot", "eom")  # in use only when a template ends with another token than the stated eos
_ADD_KINDS = ("bos", "eos", "sep")
_MAX_TEMPLATE_BYTES = 4 << 20


@dataclass
class _Found:
    """Special tokens by kind as text, which are added, and the spare kinds in use; filled step by step."""

    content: dict[str, str] = field(default_factory=dict)
    spare: list[str] = field(default_factory=list)
    adds: dict[str, bool] = field(default_factory=dict)


def special_metadata(
    tokenizer: JsonObject,
    tokenizer_config: JsonObject,
    config: JsonObject,
    added: Sequence[JsonObject],
    n_vocab: int = MAX_TOKENS,
) -> dict[str, Value]:
    """Give tokenizer.ggml.*_token_id and add_*_token; ids from n_vocab on are passed over."""
    found = _Found(content=_contents(tokenizer_config))
    _fill_in_bert_names(found.content)
    for processor in _processors(tokenizer):
        _read_processor(processor, found)
    for kind in _ADD_KINDS:
        stated = tokenizer_config.get(f"add_{kind}_token")
        if isinstance(stated, bool):
            found.adds.setdefault(kind, stated)
    ids = _ids(found, config, added, n_vocab)
    values = {f"tokenizer.ggml.{ID_KEYS[kind]}": u32(number) for kind, number in ids.items()}
    return values | {f"tokenizer.ggml.add_{kind}_token": flag(on) for kind, on in found.adds.items()}


def _contents(tokenizer_config: JsonObject) -> dict[str, str]:
    contents = {}
    for kind in _STATED:
        entry = tokenizer_config.get(f"{kind}_token")
        entry = entry.get("content") if isinstance(entry, dict) else entry
        if isinstance(entry, str):
            contents[kind] = entry
    return contents


def _fill_in_bert_names(content: dict[str, str]) -> None:
    for kind, other in (("bos", "cls"), ("eos", "sep")):
        if not content.get(kind) and content.get(other):
            content[kind] = content[other]


def _processors(tokenizer: JsonObject) -> list[JsonObject]:
    processor = tokenizer.get("post_processor")
    if not isinstance(processor, dict):
        return []
    inner = processor.get("processors", [processor])
    return [entry for entry in inner if isinstance(entry, dict)] if isinstance(inner, list) else []


def _read_processor(processor: JsonObject, found: _Found) -> None:
    kind = processor.get("type")
    if kind == "ByteLevel":
        found.adds.setdefault("bos", False)
        found.adds.setdefault("eos", False)
    elif kind == "RobertaProcessing":
        found.adds.update(bos=True, eos=True, sep=True)
    elif kind == "TemplateProcessing":
        single = _specials_of(processor.get("single"))
        if len(single) > 1:
            _read_first(single[0], found)
            _read_last(single[-1], found)
        _read_pair(_specials_of(processor.get("pair")), single, found)


def _specials_of(template: Any) -> list[str | None]:
    """Give the special token's text of each piece of a template; None stands for a sequence."""
    pieces = template if isinstance(template, list) else []
    entries = [piece.get("SpecialToken") if isinstance(piece, dict) else None for piece in pieces]
    contents = [entry.get("id") if isinstance(entry, dict) else None for entry in entries]
    return [content if isinstance(content, str) else None for content in contents]


def _read_first(first: str | None, found: _Found) -> None:
    if first is None:
        return
    if first not in (found.content.get("bos"), found.content.get("cls")):
        found.content = {"bos": first, "cls": first} | found.content
    found.adds["bos"] = first in (found.content.get("bos"), found.content.get("cls"))


def _read_last(last: str | None, found: _Found) -> None:
    """Take the last token as eos; one that was stated as eos is an end of turn, or of message if that is taken."""
    if last is None:
        return
    stated = found.content.get("eos")
    if stated != last:
        found.spare += [kind for kind in _SPARE if kind not in found.spare][:1]
        if stated is not None:
            found.content[found.spare[-1]] = stated
    found.content["eos"] = last
    found.adds["eos"] = True


def _read_pair(pair: list[str | None], single: list[str | None], found: _Found) -> None:
    """Note whether a separator stands between the two sequences of a pair."""
    first, last = (single[0], single[-1]) if len(single) > 1 else (None, None)
    start = 1 if pair and first and pair[0] == first else 0
    stop = len(pair) - 1 if pair and last and pair[-1] == last else len(pair)
    between = pair[start:stop][1:-1]
    if between:
        separators = {found.content.get("sep"), found.content.get("eos")} - {None}
        found.adds["sep"] = (between[0] in separators and not last) or (len(between) == 2 and between[1] in separators)
        if found.adds["sep"] and "eos" in found.content:
            found.content.setdefault("sep", found.content["eos"])


def _ids(found: _Found, config: JsonObject, added: Sequence[JsonObject], n_vocab: int) -> dict[str, int]:
    by_text: dict[str, int] = {}
    for entry in added:
        by_text.setdefault(entry["content"], entry["id"])
    ids = {}
    for kind in (kind for kind in ID_KEYS if kind in _STATED or kind in found.spare):
        numbers = (by_text.get(found.content.get(kind, "")), config.get(f"{kind}_token_id"))
        number = next((number for number in numbers if type(number) is int and 0 <= number < n_vocab), None)
        if number is not None:
            ids[kind] = number
    return ids


def template_metadata(folder: Path, tokenizer_config: JsonObject) -> dict[str, Value]:
    """Give tokenizer.chat_template*: tokenizer_config.json first, then chat_template.jinja, then chat_template.json."""
    template = tokenizer_config.get("chat_template")
    if template is None:
        template = _template_files(folder)
    if isinstance(template, str):
        return {"tokenizer.chat_template": text(template)}
    return _named_templates(template) if isinstance(template, list) else {}


def _template_files(folder: Path) -> Any:
    main = folder / "chat_template.jinja"
    if not main.is_file():
        return read_optional(folder / "chat_template.json").get("chat_template")
    more = sorted((folder / "additional_chat_templates").glob("*.jinja"))
    if not more:
        return _read_template(main)
    named = [{"name": path.stem, "template": _read_template(path)} for path in more]
    return [{"name": "default", "template": _read_template(main)}, *named]


def _read_template(path: Path) -> str:
    try:
        if path.stat().st_size > _MAX_TEMPLATE_BYTES:
            raise BadCheckpoint(f"{path.name} is {path.stat().st_size:,} bytes, too long for a chat template.")
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadCheckpoint(f"Cannot read {path.name}: {error}.") from error


def _named_templates(entries: list[Any]) -> dict[str, Value]:
    named = {}
    for entry in entries:
        if isinstance(entry, dict) and isinstance(entry.get("template"), str):
            name = "".join(c if c in ascii_letters + digits else "_" for c in str(entry.get("name", "")))
            named[name] = entry["template"]
    default = named.pop("default", None)
    values = {f"tokenizer.chat_template.{name}": text(template) for name, template in named.items() if name}
    if values:
        values["tokenizer.chat_templates"] = texts(sorted(name for name in named if name))
    return values if default is None else values | {"tokenizer.chat_template": text(default)}
