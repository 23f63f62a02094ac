"""Set Pronk up on a fresh machine: `python3 packaging/bootstrap run` (see `make help`).

Standard library only, and plain scripts side by side: this runs before anything is installed. This first file keeps
to a syntax that Python 3.6 reads, so that an old Python can say what is missing.
"""

import os
import shutil
import sys

OLDEST = (3, 11)


def newer_python() -> "str | None":
    """Find a Python that is new enough beside the one that was called; None when there is none."""
    names = [f"python3.{minor}" for minor in range(15, OLDEST[1] - 1, -1)]
    return next((found for found in map(shutil.which, names) if found), None)


def main() -> int:
    """Hand over to the real program, in a Python that can run it."""
    if sys.version_info >= OLDEST:
        from commands import run_command_line

        return run_command_line(sys.argv[1:])
    other = newer_python()
    if other:
        os.execv(other, [other, *sys.argv])
    found = ".".join(map(str, sys.version_info[:2]))
    sys.stderr.write(
        f"Pronk needs Python 3.11 or newer, this is {found}. Install one (Ubuntu 22.04: sudo apt-get install "
        "python3.11 python3.11-venv), or name one: make run PYTHON=/path/to/python3\n"
    )
    return 1


if __name__ == "__main__":
    sys.exit(main())
