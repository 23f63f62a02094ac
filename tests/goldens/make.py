"""Makes goldens with llama.cpp's own converter; see README.md for the environment.

`python -m tests.goldens.make --llama-cpp FOLDER [CASE ...]`: for each case (all, when none is named) the tiny
checkpoint is built, converted with --outtype auto, and CASE.json written beside this file. CASE may hold stars.
"""

import argparse
import logging
import os
import sys
import tempfile
from fnmatch import fnmatch
from pathlib import Path

from tests.goldens.case import Case, all_cases

HERE = Path(__file__).parent
_log = logging.getLogger("goldens")


def main() -> int:
    """Make the goldens named on the command line; gives the number that failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--llama-cpp", type=Path, required=True, help="llama.cpp's source tree")
    parser.add_argument("--keep", type=Path, help="leave checkpoints and files in this new folder")
    parser.add_argument("--check", action="store_true", help="write nothing; fail where a golden is not the same")
    parser.add_argument("case", nargs="*", default=["*"])
    options = parser.parse_args()
    if os.environ.get("PYTHONHASHSEED") != "0":  # llama.cpp writes some lists in the order of a set
        os.environ["PYTHONHASHSEED"] = "0"
        os.execv(sys.executable, [sys.executable, "-m", "tests.goldens.make", *sys.argv[1:]])
    wanted = {n: c for n, c in all_cases().items() if any(fnmatch(n, pattern) for pattern in options.case)}
    if not wanted:
        parser.error(f"no case is named {' '.join(options.case)}; there are {', '.join(all_cases())}")
    sys.path[:0] = [str(options.llama_cpp.resolve() / part) for part in ("", "gguf-py")]
    failed = [name for name, case in wanted.items() if not _try(name, case, options)]
    print(f"{len(wanted) - len(failed)} of {len(wanted)} made" + (f"; failed: {' '.join(failed)}" if failed else ""))
    return len(failed)


def _try(name: str, case: Case, options: argparse.Namespace) -> bool:
    from tests.goldens.reference import make  # imports gguf, which must be that of llama.cpp's tree

    try:
        with tempfile.TemporaryDirectory() as folder:
            text = make(name, case, options.llama_cpp, options.keep or Path(folder))
    except (Exception, SystemExit):  # noqa: BLE001  (whatever the reference raises, the other cases go on)
        _log.exception("%s failed", name)
        return False
    path = HERE / f"{name}.json"
    if options.check:
        return path.read_text(encoding="utf-8") == text
    path.write_text(text, encoding="utf-8")
    print(f"{path.name}: {len(text):,} bytes")
    return True


if __name__ == "__main__":
    sys.exit(main())
