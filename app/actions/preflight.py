"""Whether a model file can be loaded at all, found out in a throw-away child and remembered."""

import hashlib
import json
from contextlib import suppress
from pathlib import Path

from app.actions.context import Pronk
from app.core.errors import AppError, NotEnoughDisk
from app.core.files import write_atomic
from app.library.facts_reader import part_paths, read_facts
from app.library.preflight import Preflight, preflight_file
from app.llama.bindings import engine_version

RULES = "1"  # part of a remembered verdict's name: raise it when the checks change
KEPT_VERDICTS = 500


def preflight(pronk: Pronk, path: Path) -> Preflight:
    """Return whether a file can be loaded; a good one is tried once, until it or the engine changes."""
    try:
        return _tried(pronk, path)
    except AppError as error:
        return Preflight("refused", error.kind, error.message, error.hint, error.detail)


def require_loadable(pronk: Pronk, path: Path, force: bool = False) -> str:
    """Raise the error that keeps a file from being loaded; with `force`, return it as a warning.

    "" when nothing speaks against the file, or nothing could be found out. A file whose header cannot be read is no
    model to anybody: that is raised with `force`, too.
    """
    error = _tried(pronk, path).error()
    if error is None:
        return ""
    if force:
        return f"{error.message} It is tried all the same."
    error.hint = f"{error.hint} To try it all the same: --force".strip()
    raise error


def _tried(pronk: Pronk, path: Path) -> Preflight:
    """Return what llama.cpp makes of a file; raises the error of one whose header cannot be read."""
    note = _note(pronk, path)
    if note is not None and note.exists():
        return Preflight("ok")
    read_facts(path)
    result = preflight_file(path, pronk.log("preflight"))
    if note is not None and result.verdict == "ok":
        _remember(note, path)
    return result


def _note(pronk: Pronk, path: Path) -> Path | None:
    """Return where it is noted that these very files are good; None where they cannot be looked at."""
    try:
        found = [
            (part.name, status.st_size, status.st_mtime_ns) for part in part_paths(path) for status in [part.stat()]
        ]
    except OSError:
        return None
    key = json.dumps([RULES, engine_version(), str(path.absolute()), found])
    name = hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()[:24]
    return pronk.home.cache / "preflight" / f"{name}.txt"


def _remember(note: Path, path: Path) -> None:
    with suppress(NotEnoughDisk, OSError):  # only a saving: the file is tried again next time
        note.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(note, f"llama.cpp takes {path}\n".encode("utf-8", "replace"))
        notes = sorted(note.parent.glob("*.txt"), key=lambda found: found.stat().st_mtime_ns, reverse=True)
        for old in notes[KEPT_VERDICTS:]:
            old.unlink(missing_ok=True)
