"""Moves a model's files to a trash folder and back."""

import errno
import re
import time
from pathlib import Path

from app.core.errors import BadFile, BadRequest, NotEnoughDisk

_FIRST_PART = re.compile(r"-00001-of-(\d{5})$")


def move_to_trash(path: Path, trash: Path) -> Path:
    """Move a model file, with the other parts of a split one, into a new folder of the trash; returns its new place.

    Raises BadRequest when the file lies on another disk, where moving would mean copying all of it.
    """
    folder = trash / f"{time.strftime('%Y%m%d-%H%M%S')}-{path.stem}"
    number = 1
    while folder.exists():
        number += 1
        folder = folder.with_name(f"{folder.name}-{number}")
    _move(_with_parts(path), folder)
    return folder / path.name


def move_back(trashed: Path, path: Path) -> None:
    """Undo `move_to_trash`; raises BadFile when another file has taken the place."""
    if path.exists():
        raise BadFile(f"{path} is there again.", hint=f"Move it away; the deleted one lies in {trashed.parent}.")
    _move(_with_parts(trashed), path.parent)
    trashed.parent.rmdir()


def _with_parts(path: Path) -> list[Path]:
    match = _FIRST_PART.search(path.stem)
    if match is None:
        return [path]
    return sorted(path.parent.glob(f"{path.stem[: match.start()]}-?????-of-{match[1]}{path.suffix}"))


def _move(files: list[Path], folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file in files:
            file.rename(folder / file.name)
    except OSError as error:
        if error.errno == errno.EXDEV:
            raise BadRequest(
                f"{files[0]} lies on another disk than Pronk's trash.",
                hint="Take it off the list without --delete, and delete the file yourself.",
            ) from error
        raise NotEnoughDisk(
            f"Cannot move {files[0]} to {folder} ({error.strerror or error}).", hint="Check the permissions of both."
        ) from error
