"""Reads the checkpoint's JSON files with a bound on their size and a clear message for each fault."""

import json
from pathlib import Path
from typing import Any

from converters.errors import BadCheckpoint

MAX_JSON_BYTES = 256 << 20  # the largest tokenizer.json in the wild is near 40 MB

JsonObject = dict[str, Any]
_LFS_POINTER = b"version https://git-lfs.github.com/spec/"


def refuse_lfs_pointer(beginning: bytes, name: str) -> None:
    """Raise BadCheckpoint when a file is only the note that git leaves in place of a large one."""
    if _LFS_POINTER.startswith(beginning[: len(_LFS_POINTER)]) and len(beginning) >= 8:
        raise BadCheckpoint(
            f"{name} is not the file itself but Git LFS's note of where it is.",
            hint="Run `git lfs pull` in the model's folder, or download the file from the model's page.",
        )


def parse_object(text: bytes | str, label: str, *, unique: bool = False) -> JsonObject:
    """Parse text as one JSON object; label names it in the BadCheckpoint that anything else raises.

    unique: a key that stands twice in one object is a fault too."""
    try:
        value = json.loads(text, object_pairs_hook=_unique if unique else None)
    except (ValueError, RecursionError) as error:
        raise BadCheckpoint(f"{label} is not valid JSON: {error}.", hint="Download the file again.") from error
    if not isinstance(value, dict):
        raise BadCheckpoint(f"{label} holds no JSON object.", hint="Download the file again.")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> JsonObject:
    value: JsonObject = {}
    for name, entry in pairs:
        if name in value:
            raise ValueError(f"{name[:80]!r} stands in it twice")
        value[name] = entry
    return value


def read_object(path: Path, max_bytes: int = MAX_JSON_BYTES) -> JsonObject:
    """Read a JSON object; raises BadCheckpoint when the file is missing, too large or no such object."""
    try:
        size_bytes = path.stat().st_size
        if size_bytes > max_bytes:
            raise BadCheckpoint(f"{path.name} is {size_bytes:,} bytes; at most {max_bytes:,} are believable.")
        content = path.read_bytes()
        refuse_lfs_pointer(content, path.name)
        return parse_object(content, path.name)
    except OSError as error:
        raise BadCheckpoint(
            f"Cannot read {path.name} in {path.parent}: {error.strerror}.",
            hint="Download the missing file of the model again.",
        ) from error


def read_optional(path: Path) -> JsonObject:
    """Read a JSON object, or give an empty one when there is no such file."""
    return read_object(path) if path.is_file() else {}
