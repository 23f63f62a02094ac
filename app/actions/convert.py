"""Converting a checkpoint: the converter runs as a child of its own and never meets the app but by JSON lines."""

import contextlib
import json
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from app.actions.checkpoint_folder import checkpoint_folder
from app.actions.context import Pronk
from app.actions.models import add_model
from app.core.errors import Busy, NotEnoughDisk
from app.core.files import write_atomic
from app.jobs.commands import module_command
from app.jobs.job import run_job

OnEvent = Callable[[Mapping[str, Any]], None]


@dataclass(frozen=True)
class ConvertRequest:
    """What to convert into what; `output` is a file (one type) or a folder, by default the library's.

    `files` are those that will be written, where that is known: the conversion can then be found again after a stop.
    """

    source: str
    types: tuple[str, ...]
    output: Path | None = None
    extra_options: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()


def convert_plan(
    pronk: Pronk, source: str, types: Sequence[str], extra_options: Sequence[str] = (), output: Path | None = None
) -> dict[str, Any]:
    """Return what a conversion would give, from headers alone: architecture, tensors, output_bytes and needed disk."""
    request = ConvertRequest(source, tuple(types), output, (*extra_options, "--dry-run"))
    return _run(pronk, request, lambda _: None, None)


def convert(
    pronk: Pronk, request: ConvertRequest, on_event: OnEvent, cancel: threading.Event | None = None
) -> dict[str, Any]:
    """Convert a checkpoint and put the files into the library; one that was stopped before goes on where it was.

    Returns the contract's result: files, architecture, elapsed_s, tokenizer_parity. Raises the converter's error,
    or Cancelled.
    """
    _discard_replaced(pronk, request)
    _note(pronk, request)
    result = _run(pronk, request, on_event, cancel)
    source = str(checkpoint_folder(request.source).resolve())
    for file in result.get("files", []):
        add_model(pronk, Path(file["path"]), source=source, sha256=file["sha256"])
    _forget(pronk, request)
    return result


def unfinished_conversions(pronk: Pronk) -> tuple[ConvertRequest, ...]:
    """Return the conversions that were stopped and have left something to go on with, the last one first."""
    notes = sorted(_notes_folder(pronk).glob("*.json"), key=_changed_ns, reverse=True)
    requests = [request for note in notes if (request := _read_note(note)) is not None]
    return tuple(request for request in requests if any(part_path(file).exists() for file in request.files))


def discard_conversion(pronk: Pronk, request: ConvertRequest) -> None:
    """Remove what a stopped conversion has left; raises Busy while it still runs somewhere."""
    for file in request.files:
        part = part_path(file)
        if _is_locked(part):
            raise Busy(f"{file.name} is being converted right now.", hint="Wait for it, or stop that conversion.")
        try:
            part.unlink(missing_ok=True)
            journal_path(file).unlink(missing_ok=True)
        except OSError as error:
            raise NotEnoughDisk(f"Cannot remove {part} ({error.strerror}).", hint="Remove it by hand.") from error
    _forget(pronk, request)


def part_path(file: Path) -> Path:
    """Return where the converter keeps a file until it is whole (converters/output.py)."""
    return file.with_name(file.name + ".part")


def journal_path(file: Path) -> Path:
    """Return where the converter notes which tensors of a part are finished."""
    return file.with_name(file.name + ".journal")


def _discard_replaced(pronk: Pronk, request: ConvertRequest) -> None:
    """Remove what stopped conversions to some of the same files have left besides: nothing could go on with it."""
    files = set(request.files)
    for old in unfinished_conversions(pronk):
        if old.files != request.files and files & set(old.files):
            with contextlib.suppress(Busy):
                discard_conversion(pronk, replace(old, files=tuple(file for file in old.files if file not in files)))
            _forget(pronk, old)


def _run(pronk: Pronk, request: ConvertRequest, on_event: OnEvent, cancel: threading.Event | None) -> dict[str, Any]:
    command = module_command(
        "converters",
        "convert",
        str(checkpoint_folder(request.source)),
        *(word for name in request.types for word in ("--type", name)),
        "--output",
        str(request.output or pronk.home.models),
        *request.extra_options,
        "--events",
        "--watch-stdin",
    )
    return run_job(command, on_event, pronk.log("convert"), cancel, secrets=False)


def _notes_folder(pronk: Pronk) -> Path:
    return pronk.home.cache / "conversions"


def _note_path(pronk: Pronk, request: ConvertRequest) -> Path:
    return _notes_folder(pronk) / f"{request.files[0].name}.json"


def _note(pronk: Pronk, request: ConvertRequest) -> None:
    """Write down what is converted: the parts alone do not tell which checkpoint they are made of."""
    if not request.files:
        return
    _notes_folder(pronk).mkdir(parents=True, exist_ok=True)
    document = {
        "source": request.source,
        "types": request.types,
        "output": str(request.output) if request.output else None,
        "extra_options": request.extra_options,
        "files": [str(file) for file in request.files],
    }
    write_atomic(_note_path(pronk, request), json.dumps(document, ensure_ascii=False).encode())


def _forget(pronk: Pronk, request: ConvertRequest) -> None:
    if request.files:
        _note_path(pronk, request).unlink(missing_ok=True)


def _read_note(note: Path) -> ConvertRequest | None:
    """Return the request of a note, None for one that is damaged: nothing but the offer is lost."""
    try:
        document = json.loads(note.read_text(encoding="utf-8"))
        return ConvertRequest(
            str(document["source"]),
            tuple(map(str, document["types"])),
            Path(document["output"]) if document["output"] else None,
            tuple(map(str, document["extra_options"])),
            tuple(Path(file) for file in document["files"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _changed_ns(path: Path) -> int:
    with contextlib.suppress(OSError):
        return path.stat().st_mtime_ns
    return 0


def _is_locked(path: Path) -> bool:
    """Whether a converter holds this part; on Windows an open file cannot be removed anyway."""
    if sys.platform == "win32" or not path.exists():
        return False
    import fcntl

    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
