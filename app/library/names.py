"""Names of models: safe on a command line, unique in a library, found by what people type."""

import difflib
import re
from collections.abc import Collection, Sequence
from pathlib import Path

_PART = re.compile(r"-\d{5}-of-\d{5}$")
_LATER_PART = re.compile(r"-(?!00001)\d{5}-of-\d{5}$")


def is_model_file(name: str) -> bool:
    """Whether a file of this name is listed: a GGUF, not hidden, not a later part of a split model, and plain text."""
    if not is_text(name):
        return False
    stem, dot, suffix = name.rpartition(".")
    return bool(dot) and suffix.lower() == "gguf" and not name.startswith(".") and not _LATER_PART.search(stem)


def is_text(name: str) -> bool:
    """Whether a file name is text: POSIX allows bytes that are no UTF-8, which nothing can show or store."""
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def model_name(path: Path, taken: Collection[str]) -> str:
    """Return a name for a file that is not in `taken` (casefolded names): its stem, with -2 and so on added."""
    stem = _PART.sub("", path.stem)
    base = re.sub(r"[^\w.+-]+", "-", stem).strip("-.") or "model"
    name = base
    number = 1
    while name.casefold() in taken:
        number += 1
        name = f"{base}-{number}"
    return name


def matching_names(text: str, names: Sequence[str]) -> tuple[str, ...]:
    """Return the names that `text` stands for: the exact one, else those it is the beginning of, in any case."""
    if text in names:
        return (text,)
    folded = text.casefold()
    same = tuple(name for name in names if name.casefold() == folded)
    return same or tuple(name for name in names if folded and name.casefold().startswith(folded))


def near_names(text: str, names: Sequence[str]) -> tuple[str, ...]:
    """Return up to three names that resemble `text`."""
    by_folded = {name.casefold(): name for name in names}
    return tuple(by_folded[near] for near in difflib.get_close_matches(text.casefold(), by_folded, n=3, cutoff=0.4))
