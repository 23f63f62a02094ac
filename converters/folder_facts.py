"""Reads what a checkpoint's folder says beside config.json: how embeddings are pooled, whether it reranks, and more."""

from pathlib import Path
from typing import Any

from converters.errors import BadCheckpoint
from converters.jsonfile import JsonObject, parse_object, read_object, read_optional

POOLING = "@pooling"  # mean, cls or lasttoken, as sentence-transformers calls them
RERANK_TOKENS = "@rerank_tokens"  # ids of "yes" and "no", for a reranker that answers with one of them
SUPPRESSED_TOKENS = "@suppressed_tokens"  # ids that are never to be generated
_MODES = ("mean", "cls", "lasttoken")
_OLD_KEYS = {"mean": "pooling_mode_mean_tokens", "cls": "pooling_mode_cls_token", "lasttoken": "pooling_mode_lasttoken"}
_RERANKERS = ("qwen3-reranker", "qwen3-vl-reranker")
_MOST_BYTES = 1 << 20


def folder_facts(folder: Path, config: JsonObject) -> JsonObject:
    """Give the facts under keys that config.json cannot have; None where there is nothing to say."""
    return {
        POOLING: _pooling(folder),
        RERANK_TOKENS: _rerank_tokens(folder) if _reranks(folder, config) else None,
        SUPPRESSED_TOKENS: _suppressed_tokens(folder),
    }


def _suppressed_tokens(folder: Path) -> list[int] | None:
    """Read suppress_tokens of generation_config.json."""
    stated = read_optional(folder / "generation_config.json").get("suppress_tokens")
    if stated is None:
        return None
    if not isinstance(stated, list) or not all(type(token) is int and 0 <= token < 1 << 31 for token in stated):
        raise BadCheckpoint("generation_config.json: suppress_tokens is no list of token ids.")
    return stated


def _pooling(folder: Path) -> str | None:
    """Read modules.json of sentence-transformers, and the config of its first pooling module."""
    path = folder / "modules.json"
    if not path.is_file():
        return None
    modules = parse_object(b'{"modules":' + _start_of(path) + b"}", path.name)["modules"]
    listed = [entry for entry in modules if isinstance(entry, dict)] if isinstance(modules, list) else []
    name = next((entry.get("path") for entry in listed if str(entry.get("type")).endswith("Pooling")), None)
    if name is None:
        return None
    if not isinstance(name, str) or not name or Path(name).name != name or name == "..":
        raise BadCheckpoint(f"modules.json places its pooling in {str(name)[:80]!r}, which is no folder of the model.")
    return _mode(read_object(folder / name / "config.json"), name)


def _mode(settings: JsonObject, name: str) -> str:
    stated = next((mode for mode, key in _OLD_KEYS.items() if settings.get(key)), settings.get("pooling_mode"))
    if stated not in _MODES:
        raise BadCheckpoint(f"{name}/config.json pools by {str(stated)[:80]!r}; only {', '.join(_MODES)} are known.")
    return str(stated)


def _reranks(folder: Path, config: JsonObject) -> bool:
    """Tell a reranker by its card or its name. Source: llama.cpp conversion/qwen.py, Qwen3Model."""
    hints = [folder.name, config.get("_name_or_path"), config.get("model_type")]
    if any(name in str(hint).lower() for name in _RERANKERS for hint in hints):
        return True
    card = folder / "README.md"
    text = _start_of(card).decode(errors="replace").lower() if card.is_file() else ""
    return any(f"# {name}" in text for name in _RERANKERS)


def _start_of(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_MOST_BYTES)
    except OSError as error:
        raise BadCheckpoint(f"Cannot read {path}: {error.strerror}.") from error


def _rerank_tokens(folder: Path) -> list[int] | None:
    """Give the ids of yes and no, or None where the tokenizer has no such tokens."""
    document = read_optional(folder / "tokenizer.json")
    model: Any = document.get("model")
    vocabulary = model.get("vocab") if isinstance(model, dict) else None
    ids: list[Any] = [vocabulary.get(word) for word in ("yes", "no")] if isinstance(vocabulary, dict) else []
    return ids if ids and all(type(number) is int for number in ids) else None
