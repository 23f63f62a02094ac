"""pronk convert: a Hugging Face checkpoint to GGUF."""

import argparse
import shutil
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from app.actions.context import Pronk
from app.cli.output import Output, add_events, add_json
from app.core.errors import Cancelled
from app.core.units import format_duration, format_size

_ABOUT = (
    "Convert a Hugging Face checkpoint to GGUF, in one pass, and put the files into the library. A conversion that was "
    "stopped goes on where it was when the same command is given again."
)
_ABOUT_DRY_RUN = "write nothing; tell the exact size of each file, and disk and memory needed; with --json every tensor"


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command and its options."""
    parser = commands.add_parser("convert", help="convert a Hugging Face checkpoint to GGUF", description=_ABOUT)
    parser.add_argument("source", metavar="SOURCE", help="a checkpoint folder (hf:ORG/REPO comes later)")
    parser.add_argument(
        "--type",
        metavar="T",
        action="append",
        type=str.upper,
        required=True,
        dest="types",
        help="quantization type, say Q4_K_M or Q8_0 (an unknown one lists them all); repeat it for several files "
        "from one read",
    )
    parser.add_argument(
        "--output",
        metavar="FILE|DIR",
        type=Path,
        help="where to write: a name ending in .gguf is a file, any other a folder (default: the library)",
    )
    parser.add_argument(
        "--imatrix", metavar="none|auto|FILE", default="none", help="importance matrix (only none in this version)"
    )
    parser.add_argument("--calibration", metavar="FILE", help="text for --imatrix auto (not in this version)")
    parser.add_argument("--lora", metavar="DIR", help="merge this adapter while converting (not in this version)")
    parser.add_argument("--split-size", metavar="SIZE", help="split the output (not in this version)")
    parser.add_argument(
        "--trial",
        choices=("always", "never"),
        default="always",
        help="let each file answer 32 tokens before it comes into view (default: always)",
    )
    parser.add_argument("--dry-run", action="store_true", help=_ABOUT_DRY_RUN)
    add_json(parser)
    add_events(parser)


def run(arguments: argparse.Namespace, pronk: Pronk) -> int:
    """Convert, or tell what a conversion would give."""
    from app.actions.convert import ConvertRequest, convert, convert_plan
    from app.jobs.child import watch_stdin

    types = tuple(dict.fromkeys(arguments.types))
    cancel = threading.Event()
    if arguments.watch_stdin:
        watch_stdin(cancel.set)
    output = Output(arguments)
    target = arguments.output.absolute() if arguments.output else None
    if arguments.dry_run:
        plan = convert_plan(pronk, arguments.source, types, _extra_options(arguments), target)
        output.done(plan, _plan_text(plan, types))
        return 0
    request = ConvertRequest(arguments.source, types, target, _extra_options(arguments))
    try:
        result = convert(pronk, request, output.event, cancel)
    except (Cancelled, KeyboardInterrupt):
        print("\nThe same command goes on where this one stopped.", file=sys.stderr)
        raise
    output.done(result, _result_text(result))
    return 0


def _extra_options(arguments: argparse.Namespace) -> tuple[str, ...]:
    given = {
        "--imatrix": arguments.imatrix if arguments.imatrix != "none" else None,
        "--calibration": arguments.calibration,
        "--lora": arguments.lora,
        "--split-size": arguments.split_size,
        "--trial": arguments.trial if arguments.trial != "always" else None,
    }
    return tuple(word for option, value in given.items() if value is not None for word in (option, str(value)))


def _plan_text(plan: dict[str, Any], types: Sequence[str]) -> str:
    sizes = plan["output_bytes"] if isinstance(plan["output_bytes"], list) else [plan["output_bytes"]]
    files = [Path(file) for file in plan["files"]]
    lines = [f"{plan['architecture']} ({plan['hf_class']}): {_tensor_count(plan['tensors'])} tensors"]
    lines += [
        f"{name:8}  {format_size(size):>9}  {file}" + ("  (is there, would be replaced)" if file.exists() else "")
        for name, size, file in zip(types, sizes, files, strict=True)
    ]
    needed, free = plan["needed_disk_bytes"], _free_bytes(files[0])
    room = f"Needs {format_size(needed)} of disk ({format_size(free)} are free)"
    lines.append(f"{room}, {format_size(plan['peak_memory_bytes'])} of memory.")
    if needed > free:
        lines.append("Warning: it does not fit on the disk. Free some space, or choose --output on another disk.")
    return "\n".join(lines + _left_out(plan) + _warnings(plan))


def _free_bytes(file: Path) -> int:
    return shutil.disk_usage(next(folder for folder in file.parents if folder.is_dir())).free


def _left_out(document: dict[str, Any]) -> list[str]:
    names = document.get("dropped") or []
    if not names:
        return []
    tensors = "1 tensor of the checkpoint is" if len(names) == 1 else f"{len(names)} tensors of the checkpoint are"
    return [f"{tensors} left out: {names[0]}{', …' if len(names) > 1 else ''}"]


def _warnings(document: dict[str, Any]) -> list[str]:
    return [f"Warning: {warning}" for warning in document.get("warnings", [])]


def _tensor_count(tensors: list[Any]) -> int:
    return len(tensors[0]) if tensors and isinstance(tensors[0], list) else len(tensors)


def _check_text(check: dict[str, Any]) -> str:
    made = f"{check['greedy_tokens']} trial tokens with all {check['n_layers']} layers." if check["n_layers"] else ""
    return " ".join(filter(None, (f"Self-check: llama.cpp loads {check['n_tensors']} tensors.", made, check["note"])))


def _result_text(result: dict[str, Any]) -> str:
    lines = [f"{file['type']:8}  {format_size(file['size_bytes']):>9}  {file['path']}" for file in result["files"]]
    parity = result["tokenizer_parity"]
    lines.append(f"Tokenizer: {parity['equal']} of {parity['checked']} texts give the same tokens as the original.")
    told = result.get("self_check") or []
    lines += [_check_text(check) for check in ([told] if isinstance(told, dict) else told)]
    if kept := result.get("resumed_bytes"):
        lines.append(f"{format_size(kept)} of the checkpoint had been done before.")
    lines += _left_out(result) + _warnings(result)
    lines.append(f"Done in {format_duration(result['elapsed_s'])}.")
    return "\n".join(lines)
