"""The command line: one module for each command, errors and exit codes in one place."""

import argparse
import importlib
import os
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

from app import __version__
from app.actions.context import Pronk
from app.cli.output import print_failure
from app.core.errors import AppError, Bug, Cancelled
from app.core.paths import default_home

COMMANDS = (
    "devices",
    "inspect",
    "plan",
    "convert",
    "compare",
    "search",
    "download",
    "models",
    "chat",
    "serve",
    "bench",
    "worker",
    "doctor",
)

EPILOG = """Without a command, pronk opens the window; `pronk FILE.gguf` opens it on that model.
A MODEL is a file, a library name or hf:ORG/REPO/FILE.gguf; a SOURCE is a checkpoint folder or hf:ORG/REPO."""


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of every command."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--home", metavar="DIR", default=argparse.SUPPRESS, help="keep all data in DIR (also: PRONK_HOME)"
    )
    parser = argparse.ArgumentParser(
        prog="pronk",
        description="Runs open language models on the computer you already have.",
        epilog=EPILOG,
        parents=[common],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"pronk {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name in COMMANDS:
        importlib.import_module(f"app.cli.{name}").add_parser(commands)
    for command in commands.choices.values():
        command.allow_abbrev = False  # `chat --gpu 5` must not quietly mean --gpu-layers
        command.add_argument("--home", metavar="DIR", default=argparse.SUPPRESS, help="keep all data in DIR")
    return parser


def main(argv: Sequence[str]) -> int:
    """Run one command and return its exit code: 0 done, 1 failed, 2 wrong usage, 130 cancelled."""
    try:
        arguments = build_parser().parse_args(argv)
    except SystemExit as leave:  # argparse: --help, --version and wrong usage
        return leave.code if isinstance(leave.code, int) else 2
    if "home" in arguments:
        os.environ["PRONK_HOME"] = str(Path(arguments.home).expanduser().absolute())
    command = importlib.import_module(f"app.cli.{arguments.command}")
    # The doctor is asked when things are broken, an unwritable data folder among them.
    needs_home = arguments.command != "doctor"
    return guarded(lambda pronk: command.run(arguments, pronk), arguments, needs_home=needs_home)


def guarded(
    action: Callable[[Pronk], int],
    arguments: argparse.Namespace | None = None,
    tell: Callable[[AppError], None] = lambda _: None,
    needs_home: bool = True,
) -> int:
    """Run `action` with the user's data folder; every error becomes words for the user and an exit code.

    `tell` hears of a failure too, where stderr may not be seen.
    """
    try:
        home = default_home(os.environ)
        pronk = Pronk(home.prepare() if needs_home else home)
        try:
            return action(pronk)
        finally:
            pronk.close()
    except AppError as error:
        print_failure(error, arguments)
        tell(error)
        return 1
    except (Cancelled, KeyboardInterrupt):
        print_failure(Cancelled(), arguments)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:  # noqa: BLE001 - the border of the program: a bug is told without its traceback
        bug = record_bug(error)
        print_failure(bug, arguments)
        tell(bug)
        return 1


def record_bug(error: Exception) -> Bug:
    """Write a bug's traceback to the log and return what the user is told."""
    log = default_home(os.environ).logs / "crash.log"
    trace = "".join(traceback.format_exception(error))
    try:
        with log.open("a", encoding="utf-8") as file:
            file.write(f"--- {time.strftime('%Y-%m-%d %H:%M:%S')} pronk {__version__}\n{trace}")
        hint = f"This is a fault in Pronk. The details stand in {log}; please report them."
    except OSError:
        hint = f"This is a fault in Pronk: {trace.strip().splitlines()[-1]}"
    return Bug(f"Something in Pronk failed unexpectedly ({type(error).__name__}: {error}).", hint=hint)
