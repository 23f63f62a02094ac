"""The command line of the converter."""

import argparse
import gc
import io
import json
import logging
import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from converters.errors import BadRequest, ConvertError, NotEnoughDisk, NotEnoughMemory, NotYet
from converters.events import Cancel, JsonLines, Listener, Silent, TextBar, watch_stdin
from converters.isolation import isolate
from converters.jsonfile import JsonObject
from converters.quant_types import FILE_TYPES
from converters.registry import FAMILIES

_log = logging.getLogger("converters")
_EXIT_FAILED, _EXIT_CANCELLED = 1, 130
_ABOUT_CONVERT = (
    "Convert a checkpoint in one pass. A conversion that was stopped goes on where it was when the same command is "
    "given again. docs/converting.md tells what converts, and what the result says."
)
_ABOUT_DRY_RUN = "write nothing; print the exact size of each file and the memory needed; with --json every tensor"
_BUG_HINT = "Please report it with the log, which tells where it happened."


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and give its exit code: 0 done, 1 failed, 2 wrong usage, 130 cancelled."""
    os.environ.setdefault("GGML_NO_BACKTRACE", "1")
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(levelname)s %(message)s")
    options = _parser().parse_args(arguments)
    if options.command == "helper":
        isolate()
        return _serve()
    if options.command == "list":
        return _list_classes(options.json)
    isolate()
    return _run_convert(options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m converters", description="Hugging Face checkpoint to GGUF, in one pass."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    lister = commands.add_parser("list", help="print the HF classes that can be converted")
    lister.add_argument("--json", action="store_true", help="print one JSON document")
    commands.add_parser("helper")  # the process of helper.py; not for people
    convert = commands.add_parser("convert", help="convert a checkpoint folder", description=_ABOUT_CONVERT)
    convert.add_argument("folder", type=Path, help="folder with config.json, *.safetensors and the tokenizer's files")
    convert.add_argument(
        "--type",
        action="append",
        dest="types",
        required=True,
        metavar="TYPE",
        help=f"{', '.join(FILE_TYPES)}; repeat it for several files from one read",
    )
    convert.add_argument("--output", type=Path, metavar="FILE|DIR", help="where to write (default: the current folder)")
    convert.add_argument("--threads", type=int, default=0, metavar="N", help="worker threads (default: all CPUs)")
    convert.add_argument(
        "--trial",
        choices=("always", "never"),
        default="always",
        help="let each file answer 32 tokens before it comes into view (default: always)",
    )
    convert.add_argument("--dry-run", action="store_true", help=_ABOUT_DRY_RUN)
    convert.add_argument("--watch-stdin", action="store_true", help=argparse.SUPPRESS)
    convert.add_argument(
        "--imatrix", default="none", metavar="none|auto|FILE", help="importance matrix (only none for now)"
    )
    convert.add_argument("--calibration", type=Path, metavar="FILE", help="not yet")
    convert.add_argument("--lora", type=Path, metavar="DIR", help="not yet")
    convert.add_argument("--split-size", metavar="SIZE", help="not yet")
    form = convert.add_mutually_exclusive_group()
    form.add_argument("--events", action="store_true", help="print JSON Lines: progress, then done or failed")
    form.add_argument("--json", action="store_true", help="print one JSON document")
    return parser


def _serve() -> int:
    from converters.helper import serve

    serve(sys.stdin, sys.stdout)
    return 0


def _list_classes(as_json: bool) -> int:
    names = sorted(FAMILIES)
    print(json.dumps({"architectures": names}) if as_json else "\n".join(names))  # noqa: T201
    return 0


def _run_convert(options: argparse.Namespace) -> int:
    cancel = Cancel()
    _stop_on_signals(cancel)
    if options.watch_stdin:
        watch_stdin(cancel)
    events = JsonLines(sys.stdout)
    try:
        result = _convert(options, cancel, _listener(options, events))
    except ConvertError as error:
        return _report_failure(options, events, error)
    except MemoryError:
        lack = NotEnoughMemory("The memory is not enough for this conversion.", hint="Use fewer --threads.")
        return _report_failure(options, events, lack)
    except OSError as error:
        where = error.filename or "a file"
        return _report_failure(options, events, NotEnoughDisk(f"Cannot use {where}: {error.strerror}."))
    except Exception:  # noqa: BLE001 - whoever started this process needs a last line whatever happens
        _log.exception("The converter failed.")
        return _report_failure(options, events, ConvertError("The converter failed: this is a bug in it.", _BUG_HINT))
    if options.events:
        events.done(result)
    else:
        print(json.dumps(result, ensure_ascii=False) if options.json else _as_text(result))  # noqa: T201
    return 0


def _convert(options: argparse.Namespace, cancel: Cancel, listener: Listener) -> JsonObject:
    from converters.convert import Request, convert, dry_run

    _refuse_later_work(options)
    with_trial = options.trial == "always"
    request = Request(options.folder, tuple(options.types), options.output, options.threads, with_trial)
    return dry_run(request, cancel) if options.dry_run else convert(request, cancel, listener)


def _refuse_later_work(options: argparse.Namespace) -> None:
    if options.threads < 0:
        raise BadRequest(f"--threads {options.threads} makes no sense.", hint="Give 1 or more, or leave it out.")
    asked = {"--imatrix": options.imatrix != "none", "--calibration": options.calibration, "--lora": options.lora,
             "--split-size": options.split_size}  # fmt: skip
    for name, wanted in asked.items():
        if wanted:
            raise NotYet(f"{name} is not built yet.", hint=f"Run the conversion without {name}.")


def _listener(options: argparse.Namespace, events: JsonLines) -> Listener:
    if options.events:
        return events
    return TextBar(sys.stderr) if sys.stderr.isatty() and not options.json else Silent()


def _report_failure(options: argparse.Namespace, events: JsonLines, error: ConvertError) -> int:
    if options.events:
        events.failed(error.kind, error.message, error.hint)
    elif options.json:
        print(json.dumps({"error": {"kind": error.kind, "message": error.message, "hint": error.hint}}))  # noqa: T201
    if not options.events:
        sys.stderr.write("\n".join(filter(None, (error.message, error.hint))) + "\n")
    return _EXIT_CANCELLED if error.kind == "cancelled" else _EXIT_FAILED


def _as_text(result: JsonObject) -> str:
    if "tokenizer_parity" not in result:
        sizes = result["output_bytes"] if isinstance(result["output_bytes"], list) else [result["output_bytes"]]
        lines = [f"{kind}: {size:,} bytes" for kind, size in zip(result["types"], sizes, strict=True)]
        return "\n".join(
            [f"{result['architecture']}", *lines, f"memory: {result['peak_memory_bytes']:,} bytes", *result["warnings"]]
        )
    parity = result["tokenizer_parity"]
    lines = [f"{file['path']}  {file['size_bytes']:,} bytes" for file in result["files"]]
    lines.append(f"{result['elapsed_s']} s; tokenizer equal on {parity['equal']} of {parity['checked']} texts")
    return "\n".join(lines + result["warnings"])


def _stop_on_signals(cancel: Cancel) -> None:
    def stop(number: int, frame: object) -> None:
        # in a thread of its own: the handler may interrupt a holder of the very lock that request() takes
        threading.Thread(target=cancel.request, daemon=True).start()

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)


def _main() -> int:
    gc.set_threshold(100_000)  # vocabularies are large, and nothing in them refers in circles
    try:
        if isinstance(sys.stdout, io.TextIOWrapper):  # the name of a folder may be no text; JSON spells it like this
            sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")
        code = main()
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read the output has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return code


if __name__ == "__main__":
    sys.exit(_main())
