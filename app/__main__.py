"""Where Pronk starts: a command, the window, or (in a bundle) the module of a child process."""

import os
import runpy
import sys
from collections.abc import Sequence

from app.cli.main import COMMANDS, guarded
from app.cli.main import main as command_main


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command, or open the window when none is named; return the exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] == ["--child"]:
        return run_child(arguments[1], arguments[2:])
    if wants_window(arguments):
        return open_window(arguments)
    return command_main(arguments)


def wants_window(arguments: Sequence[str]) -> bool:
    """Whether these arguments name no command: nothing, a .gguf file, or where the data lies."""
    words = iter(arguments)
    for word in words:
        if word == "--home":
            next(words, None)
        elif word in COMMANDS or (word.startswith("-") and not word.startswith("--home=")):
            return False
        elif not word.startswith("-"):
            return word.lower().endswith(".gguf")
    return True


def open_window(arguments: Sequence[str]) -> int:
    """Open the window, on the model that is named if one is."""
    import argparse

    parser = argparse.ArgumentParser(prog="pronk")
    parser.add_argument("model", nargs="?", default="")
    parser.add_argument("--home", default="")
    parsed = parser.parse_args(arguments)
    if parsed.home:
        os.environ["PRONK_HOME"] = os.path.abspath(parsed.home)  # noqa: PTH100 - children inherit it as text

    from app.gui.main import run_window, tell_failure

    return guarded(lambda pronk: run_window(pronk, parsed.model), tell=tell_failure)


def run_child(module: str, arguments: Sequence[str]) -> int:
    """Run a module as a program; in a bundle this is how children are started."""
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
