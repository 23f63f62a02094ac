"""What a conversion would do, told before it begins: files, sizes, disk, and how each file would run here."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.actions.context import Pronk
from app.actions.convert import convert_plan, part_path
from app.core.errors import AppError
from app.library.facts_reader import foretold_facts

if TYPE_CHECKING:
    from app.devices.values import Devices
    from app.library.facts import ModelFacts
    from app.plan.values import LoadPlan, Verdict

_STAT_BLOCK_BYTES = 512


@dataclass(frozen=True)
class PlannedFile:
    """One file of a conversion; `kept_bytes` of it stand on the disk already, `facts` is None when none were told."""

    type: str
    path: Path
    size_bytes: int
    kept_bytes: int
    exists: bool
    facts: ModelFacts | None

    @property
    def needed_bytes(self) -> int:
        """The disk that writing it takes."""
        return max(0, self.size_bytes - self.kept_bytes)


@dataclass(frozen=True)
class ConversionPlan:
    """A checkpoint and the files that it can become."""

    source: str
    architecture: str
    hf_class: str
    parameters: int
    source_files: int
    source_bytes: int
    folder: Path
    free_bytes: int
    files: tuple[PlannedFile, ...]
    warnings: tuple[str, ...]
    dropped: tuple[str, ...]
    """Tensors of the checkpoint that the files leave out, by name."""

    def needed_bytes(self, types: Collection[str]) -> int:
        """The disk that these types take together."""
        return sum(file.needed_bytes for file in self.files if file.type in types)

    def paths(self, types: Collection[str]) -> tuple[Path, ...]:
        """The files of these types."""
        return tuple(file.path for file in self.files if file.type in types)


@dataclass(frozen=True)
class ForetoldVerdict:
    """How a file would run here: the planner's verdict, its speed ("45") and reasons; `problem` when there is none."""

    verdict: Verdict | None
    n_gpus: int = 0
    tokens_per_s: str = ""
    reasons: tuple[str, ...] = ()
    problem: str = ""


def plan_conversion(pronk: Pronk, source: str, types: Sequence[str], output: Path | None = None) -> ConversionPlan:
    """Return what converting to each of these types would take and give; raises the converter's error."""
    document = convert_plan(pronk, source, types, output=output)
    # One type's values stand alone, several types' in lists.
    several = isinstance(document["output_bytes"], list)
    sizes = document["output_bytes"] if several else [document["output_bytes"]]
    tensors = document["tensors"] if several else [document["tensors"]]
    folder = output or pronk.home.models
    files = tuple(
        _planned_file(document, kind, Path(path), size, entries)
        for kind, path, size, entries in zip(document["types"], document["files"], sizes, tensors, strict=True)
    )
    return ConversionPlan(
        source=source,
        architecture=str(document["architecture"]),
        hf_class=str(document.get("hf_class") or document["architecture"]),
        parameters=max((file.facts.parameters for file in files if file.facts), default=0),
        source_files=int(document.get("source_files", 0)),
        source_bytes=int(document.get("source_bytes", 0)),
        folder=folder,
        free_bytes=_free_bytes(folder),
        files=files,
        warnings=tuple(map(str, document.get("warnings", ()))),
        dropped=tuple(map(str, document.get("dropped", ()))),
    )


def with_disk_of_now(plan: ConversionPlan) -> ConversionPlan:
    """Return the plan with the disk as it is now: what is free, and what stands there of each file."""
    return replace(
        plan,
        free_bytes=_free_bytes(plan.folder),
        files=tuple(
            replace(file, kept_bytes=_disk_bytes(part_path(file.path)), exists=file.path.exists())
            for file in plan.files
        ),
    )


def foretell_verdicts(plan: ConversionPlan, devices: Devices) -> dict[str, ForetoldVerdict]:
    """Return for each type how the planner would load its file: by formulas, in milliseconds."""
    return {file.type: _verdict(file.facts, devices) for file in plan.files if file.facts is not None}


def _verdict(facts: ModelFacts, devices: Devices) -> ForetoldVerdict:
    from app.actions.plan import quick_plan  # heavy: the window opens without it
    from app.plan.words import round_speed

    try:
        plan: LoadPlan = quick_plan(facts, devices, alternatives=False)
    except AppError as error:
        return ForetoldVerdict(None, problem=error.message)
    n_gpus = sum(1 for device in plan.devices if device.weights_bytes)
    speed = "" if plan.verdict == "too_big" else round_speed(plan.expected.decode_tokens_per_s)
    return ForetoldVerdict(plan.verdict, n_gpus, speed, plan.reasons)


def _planned_file(
    document: Mapping[str, Any], kind: str, path: Path, size_bytes: int, tensors: Sequence[Mapping[str, Any]]
) -> PlannedFile:
    metadata = document.get("metadata")
    facts = (
        foretold_facts(str(path), size_bytes, kind, metadata, int(document["n_vocab"]), tensors) if metadata else None
    )
    return PlannedFile(kind, path, size_bytes, _disk_bytes(part_path(path)), path.exists(), facts)


def _disk_bytes(path: Path) -> int:
    """Return what a file really takes on the disk; a sparse one takes less than its size."""
    try:
        status = path.stat()
    except OSError:
        return 0
    blocks = getattr(status, "st_blocks", None)
    return status.st_size if blocks is None else min(status.st_size, blocks * _STAT_BLOCK_BYTES)


def _free_bytes(folder: Path) -> int:
    """Return the free disk where a folder is or would be made."""
    return shutil.disk_usage(next((place for place in (folder, *folder.parents) if place.exists()), Path.cwd())).free
