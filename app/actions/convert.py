"""Converting a checkpoint: the converter runs as a child of its own and never meets the app but by JSON lines."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.actions.context import Pronk
from app.actions.models import add_model
from app.core.errors import NotYet
from app.jobs.commands import module_command
from app.jobs.job import run_job

OnEvent = Callable[[Mapping[str, Any]], None]


@dataclass(frozen=True)
class ConvertRequest:
    """What to convert into what; `output` is a file (one type) or a folder, by default the library's."""

    source: str
    types: tuple[str, ...]
    output: Path | None = None
    extra_options: tuple[str, ...] = ()


def convert_plan(
    pronk: Pronk, source: str, types: Sequence[str], extra_options: Sequence[str] = (), output: Path | None = None
) -> dict[str, Any]:
    """Return what a conversion would give, from headers alone: architecture, tensors, output_bytes and needed disk."""
    request = ConvertRequest(source, tuple(types), output, (*extra_options, "--dry-run"))
    return _run(pronk, request, lambda _: None, None)


def convert(
    pronk: Pronk, request: ConvertRequest, on_event: OnEvent, cancel: threading.Event | None = None
) -> dict[str, Any]:
    """Convert a checkpoint and put the files into the library.

    Returns the contract's result: files, architecture, elapsed_s, tokenizer_parity. Raises the converter's error,
    or Cancelled.
    """
    result = _run(pronk, request, on_event, cancel)
    for file in result.get("files", []):
        add_model(pronk, Path(file["path"]), source=request.source, sha256=file["sha256"])
    return result


def _run(pronk: Pronk, request: ConvertRequest, on_event: OnEvent, cancel: threading.Event | None) -> dict[str, Any]:
    command = module_command(
        "converters",
        "convert",
        str(_checkpoint_folder(request.source)),
        *(word for name in request.types for word in ("--type", name)),
        "--output",
        str(request.output or pronk.home.models),
        *request.extra_options,
        "--events",
        "--watch-stdin",
    )
    return run_job(command, on_event, pronk.log("convert"), cancel)


def _checkpoint_folder(source: str) -> Path:
    if source.startswith(("hf:", "ms:")):
        raise NotYet(
            f"Pronk can't fetch {source} by itself yet.",
            hint="Download its files (config.json, tokenizer files, *.safetensors) into a folder and convert that.",
        )
    return Path(source).expanduser().absolute()
