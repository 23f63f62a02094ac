"""The models a user has: list, find, add, remove, verify."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from app.actions.context import Pronk
from app.actions.preflight import require_loadable
from app.actions.remote import header_of_remote, is_remote, not_downloaded, refuse_header_only
from app.core.errors import BadFile
from app.library.checksum import sha256_of
from app.library.facts import ModelFacts
from app.library.facts_reader import read_facts
from app.library.index import Index, IndexedModel, with_index
from app.library.names import is_text, matching_names, near_names
from app.library.places import Place, load_places, save_places
from app.library.scan import compare, find_files, stat_file
from app.library.starter import PACKAGE, find_starter, place_starter, starter_revision
from app.library.trash import move_back, move_to_trash

OnEvent = Callable[[Mapping[str, Any]], None]


@dataclass(frozen=True)
class LibraryModel:
    """One model of the list; `missing` while its file is away, `fault` when it cannot be used."""

    name: str
    path: Path
    size_bytes: int
    architecture: str
    type: str
    source: str
    revision: str
    verified: bool
    missing: bool
    fault: str = ""


@dataclass(frozen=True)
class RemovedModel:
    """A model taken off the list, with what `restore_model` needs; `trashed` is where its file lies if it moved."""

    name: str
    path: Path
    trashed: Path | None
    place: Place


def list_models(pronk: Pronk) -> tuple[LibraryModel, ...]:
    """Return every model of the library by name, after a look at which files are new, changed or gone."""
    return tuple(_library_model(row) for row in _refresh(pronk))


def scan_models(pronk: Pronk) -> tuple[LibraryModel, ...]:
    """Forget what is known of files that cannot be used, look at all of them again, and return the list."""
    faulty = [row.path for row in with_index(pronk.home.library_db, Index.models) if row.fault]
    with_index(pronk.home.library_db, lambda index: index.store((), faulty))
    return list_models(pronk)


def resolve_model(pronk: Pronk, text: str) -> Path:
    """Return the file that a MODEL argument means: a path, or a library name or the beginning of one.

    Raises NotYet for hf: and ms:, BadFile with near names when nothing or more than one model is meant.
    """
    if is_remote(text):
        raise not_downloaded(text)
    path = _as_path(text)
    if path and path.is_file():
        _require_text(path)
        refuse_header_only(pronk, path)
        return path.absolute()
    models = list_models(pronk)
    # A path of the library whose file is gone means that model, too.
    gone = tuple(model.name for model in models if str(model.path) == text)
    names = gone or matching_names(text, [model.name for model in models])
    if len(names) != 1:
        raise _no_such_model(text, names, [model.name for model in models])
    model = _named(models, names[0])
    if model.missing:
        raise BadFile(
            f"The file of {model.name} is gone: {model.path}.",
            hint=f"Attach its disk or put the file back; or forget it: pronk models remove {model.name}",
        )
    return model.path


def _require_text(path: Path) -> None:
    if not is_text(str(path)):
        raise BadFile(f"{str(path)!a} has a name that is not text (no UTF-8).", hint="Rename the file, then try again.")


def inspect_model(pronk: Pronk, text: str) -> ModelFacts:
    """Return the facts of a model; they are read from its header once, until size or time of change differ.

    Of a model on a hub (hf:, ms:) only the header is fetched; raises what header_of_remote raises.
    """
    path = header_of_remote(pronk, text) if is_remote(text) else resolve_model(pronk, text)
    file = stat_file(path)
    if file is None:
        raise BadFile(f"Cannot open {path}.", hint="Check the path and its permissions.")
    known = with_index(pronk.home.library_db, lambda index: index.facts(path, file.size_bytes, file.mtime_ns))
    if known:
        return known
    facts = read_facts(path)
    if facts.size_bytes == file.size_bytes:  # other parts of a split model may change unseen
        with_index(pronk.home.library_db, lambda index: index.store_facts(path, file.size_bytes, file.mtime_ns, facts))
    return facts


def add_model(pronk: Pronk, path: Path, source: str = "", revision: str = "", sha256: str = "") -> LibraryModel:
    """Put a file on the list where it lies; raises BadFile when it is no whole GGUF model.

    `sha256` is the sum its bytes were checked against just now, if they were.
    """
    path = path.expanduser().absolute()
    _require_text(path)
    refuse_header_only(pronk, path)
    read_facts(path)
    place = _change_place(pronk, path, lambda old: Place(source or old.source, revision or old.revision))
    listed = next(row for row in _refresh(pronk) if row.path == path)

    def complete(index: Index) -> IndexedModel:
        row = next((row for row in index.models() if row.path == path), listed)
        row = replace(row, source=place.source, revision=place.revision)
        if sha256:
            row = replace(row, sha256=sha256, verified=True)
        elif not row.verified:  # added again: what it is now is what the user wants
            row = replace(row, sha256="")
        index.store([row])
        return row

    return _library_model(with_index(pronk.home.library_db, complete))


def add_file(
    pronk: Pronk, path: Path, force: bool = False, warn: Callable[[str], None] = lambda _: None
) -> LibraryModel:
    """Put a file that the user chose on the list; raises what keeps it from being loaded, or warns with `force`."""
    path = path.expanduser().absolute()
    if is_text(str(path)) and (warning := require_loadable(pronk, path, force)):
        warn(warning)
    return add_model(pronk, path)


def add_starter(pronk: Pronk) -> LibraryModel:
    """Put the starter model into the library; a second call changes nothing."""
    path = place_starter(find_starter(), pronk.home.models)
    return add_model(pronk, path, source=f"pypi:{PACKAGE}", revision=starter_revision())


def remove_model(pronk: Pronk, name: str, delete: bool = False) -> RemovedModel:
    """Take a model off the list; with `delete`, move its file to the trash folder. `restore_model` undoes both."""
    models = list_models(pronk)
    names = matching_names(name, [model.name for model in models])
    if len(names) != 1:
        raise _no_such_model(name, names, [model.name for model in models])
    model = _named(models, names[0])
    trashed = move_to_trash(model.path, pronk.home.root / "trash") if delete and not model.missing else None
    place = load_places(_places_file(pronk)).get(model.path, Place())
    stays_in_folder = model.path.is_relative_to(pronk.home.models) and not trashed
    _change_place(pronk, model.path, lambda old: replace(old, hidden=True) if stays_in_folder else None)
    with_index(pronk.home.library_db, lambda index: index.store((), [model.path]))
    return RemovedModel(model.name, model.path, trashed, place)


def restore_model(pronk: Pronk, removed: RemovedModel) -> LibraryModel:
    """Undo `remove_model`."""
    if removed.trashed:
        move_back(removed.trashed, removed.path)
    return add_model(pronk, removed.path, removed.place.source, removed.place.revision)


def verify_models(
    pronk: Pronk, names: Sequence[str], on_event: OnEvent, cancel: threading.Event | None = None
) -> tuple[LibraryModel, ...]:
    """Read models (without names, all) and compare their sha256 with the one noted before; the first time notes it.

    A model whose bytes have changed comes back with `verified` False and the `fault` that says so.
    """
    wanted = {resolve_model(pronk, name) for name in names}
    rows = [row for row in _refresh(pronk) if not row.missing and (not names or row.path in wanted)]
    total_bytes = sum(row.size_bytes for row in rows)
    done_bytes = 0
    verified = []
    for row in rows:

        def tell(n_bytes: int, row: IndexedModel = row) -> None:
            nonlocal done_bytes
            done_bytes += n_bytes
            progress = {"phase": "verify", "done_bytes": done_bytes, "total_bytes": total_bytes, "name": row.name}
            on_event({"event": "progress", **progress})

        checked = _checked(row, sha256_of(row.path, tell, cancel))
        with_index(pronk.home.library_db, lambda index, checked=checked: index.store([checked]))  # type: ignore[misc]
        verified.append(_library_model(checked))
    return tuple(verified)


def _checked(row: IndexedModel, sha256: str) -> IndexedModel:
    if row.sha256 in ("", sha256):
        return replace(row, sha256=sha256, verified=True)
    fault = (
        f"{row.path} has changed on the disk: its sha256 is {sha256[:12]}…, it was {row.sha256[:12]}…. "
        f"Get it again, or take it as it is: pronk models add {row.path}"
    )
    return replace(row, verified=False, fault=fault)


def _refresh(pronk: Pronk) -> tuple[IndexedModel, ...]:
    places = load_places(_places_file(pronk))
    found = find_files(pronk.home.models, places)
    known = with_index(pronk.home.library_db, Index.models)
    changes = compare(known, found, places, read_facts)
    if changes.nothing:
        return known

    def write(index: Index) -> tuple[IndexedModel, ...]:
        index.store(changes.models, changes.gone)
        for file, facts in changes.facts:
            if facts.size_bytes == file.size_bytes:
                index.store_facts(file.path, file.size_bytes, file.mtime_ns, facts)
        return index.models()

    return with_index(pronk.home.library_db, write)


def _change_place(pronk: Pronk, path: Path, change: Callable[[Place], Place | None]) -> Place:
    """Replace what is known of one file (None: nothing) while no other command can; returns it."""

    def work(_: Index) -> Place:
        places = load_places(_places_file(pronk))
        changed = change(places.pop(path, Place()))
        save_places(_places_file(pronk), places if changed is None else {**places, path: changed})
        return changed or Place()

    return with_index(pronk.home.library_db, work)


def _places_file(pronk: Pronk) -> Path:
    return pronk.home.root / "places.json"


def _library_model(row: IndexedModel) -> LibraryModel:
    return LibraryModel(
        name=row.name,
        path=row.path,
        size_bytes=row.total_bytes,
        architecture=row.architecture,
        type=row.file_type,
        source=row.source,
        revision=row.revision,
        verified=row.verified,
        missing=row.missing,
        fault=row.fault,
    )


def _named(models: Sequence[LibraryModel], name: str) -> LibraryModel:
    return next(model for model in models if model.name == name)


def _as_path(text: str) -> Path | None:
    """Return the path that a user wrote if something stands there; a text that can be no path is none."""
    try:
        path = Path(text).expanduser()
        return path if text and path.exists() else None
    except (OSError, ValueError, RuntimeError):  # too long, a NUL, a user that does not exist
        return None


def _no_such_model(text: str, matches: Sequence[str], names: Sequence[str]) -> BadFile:
    if len(matches) > 1:
        return BadFile(f"{text!r} may mean {', '.join(matches[:5])}.", hint="Write more of the name.")
    path = _as_path(text)
    if path and path.is_dir():
        return BadFile(
            f"{text} is a folder, not a model file.",
            hint=f"If it holds a checkpoint, convert it first: pronk convert {text} --type Q4_K_M",
        )
    near = near_names(text, names)
    hint = f"Did you mean {' or '.join(near)}?" if near else "pronk models list shows the models there are."
    if not names:
        hint = "The library is empty. Put a model in: pronk models add FILE.gguf, or pronk models add --starter"
    return BadFile(f"There is no file and no model in the library called {text!r}.", hint=hint)
