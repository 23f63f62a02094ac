"""Compares the list with the files: what is new, changed, gone or back."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from app.core.errors import AppError
from app.library.facts import ModelFacts
from app.library.index import IndexedModel
from app.library.names import is_model_file, model_name
from app.library.places import Place


@dataclass(frozen=True)
class Found:
    """A model file as it lies on the disk."""

    path: Path
    size_bytes: int
    mtime_ns: int


@dataclass(frozen=True)
class Changes:
    """What a scan changes: rows to write, rows to drop, and the facts that were read on the way."""

    models: tuple[IndexedModel, ...]
    gone: tuple[Path, ...]
    facts: tuple[tuple[Found, ModelFacts], ...]

    @property
    def nothing(self) -> bool:
        """Whether the list stands as it is."""
        return not (self.models or self.gone)


def find_files(folder: Path, places: Mapping[Path, Place]) -> tuple[Found, ...]:
    """Return the model files in a folder, the folders in it and `places`; partial files are passed over."""
    paths = {path for path in _walk(folder) if path not in places}
    paths.update(path for path, place in places.items() if not place.hidden)
    return tuple(found for path in sorted(paths) if (found := stat_file(path)))


def stat_file(path: Path) -> Found | None:
    """Return a file's size and time of change, None when it is not there."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return Found(path, stat.st_size, stat.st_mtime_ns)


def _walk(folder: Path) -> Iterator[Path]:
    for parent, _, names in os.walk(folder):
        yield from (Path(parent, name) for name in names if is_model_file(name))


def compare(
    known: Sequence[IndexedModel],
    found: Iterable[Found],
    places: Mapping[Path, Place],
    read_facts: Callable[[Path], ModelFacts],
) -> Changes:
    """Return what has to change in the list; only new and changed files are read."""
    rows = {model.path: model for model in known}
    taken = {model.name.casefold() for model in known}
    changed: list[IndexedModel] = []
    facts: list[tuple[Found, ModelFacts]] = []
    seen = set()
    for file in found:
        seen.add(file.path)
        row = rows.get(file.path)
        if row is None or (row.size_bytes, row.mtime_ns) != (file.size_bytes, file.mtime_ns):
            name = row.name if row else model_name(file.path, taken)
            taken.add(name.casefold())
            # What was noted of a file of this size stays the measure: a damaged one must not pass as new.
            noted = row.sha256 if row and row.size_bytes == file.size_bytes else ""
            row, read = _read(file, name, places.get(file.path, Place()), read_facts)
            changed.append(replace(row, sha256=noted))
            facts.extend([(file, read)] if read else [])
        elif row.missing:
            changed.append(replace(row, missing=False))
    absent = [model for model in known if model.path not in seen]
    hidden = tuple(model.path for model in absent if places.get(model.path, Place()).hidden)
    lost = [replace(model, missing=True) for model in absent if model.path not in hidden and not model.missing]
    return Changes((*changed, *lost), hidden, tuple(facts))


def _read(
    file: Found, name: str, place: Place, read_facts: Callable[[Path], ModelFacts]
) -> tuple[IndexedModel, ModelFacts | None]:
    row = IndexedModel(
        file.path, name, file.size_bytes, file.mtime_ns, file.size_bytes, source=place.source, revision=place.revision
    )
    try:
        facts = read_facts(file.path)
    except AppError as error:
        return replace(row, fault=error.message), None
    return (
        replace(row, total_bytes=facts.size_bytes, architecture=facts.architecture, file_type=facts.file_type),
        facts,
    )
