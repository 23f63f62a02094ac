"""Where Pronk starts: a command, the window, or (in a bundle) the module of a child process."""

import runpy
import sys
from collections.abc import Sequence

from app.cli.main import COMMANDS, main as command_main


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command, or open the window when none is named; return the exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] == ["--child"]:
        return run_child(arguments[1], arguments[2:])
    if wants_window(arguments):
        from app.gui.main import main as window_main

        return window_main(arguments)
    return command_main(arguments)


def wants_window(arguments: Sequence[str]) -> bool:
    """Whether these arguments name no command: none at all, a .gguf file, or options of the window alone."""
    words = iter(arguments)
    for word in words:
        if word == "--home":
            next(words, None)
        elif word in COMMANDS or (word.startswith("-") and not word.startswith("--home=")):
            return False
        elif not word.startswith("-"):
            return word.lower().endswith(".gguf")
    return True


def run_child(module: str, arguments: Sequence[str]) -> int:
    """Run a module as a program; in a bundle this is how children are started."""
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
