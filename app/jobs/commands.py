"""How each child process is started: from source with -m, from a bundle with the bundled executable."""

import os
import re
import sys
from collections.abc import Mapping

_SECRET = re.compile(r"(?:TOKEN|API_?KEY|SECRET|PASSWORD|CREDENTIAL)(?!IZER)", re.IGNORECASE)


def pronk_command(*arguments: str) -> list[str]:
    """Return the command line of a pronk command, say pronk_command("convert", folder, "--events")."""
    return [*_python("app"), *arguments]


def module_command(module: str, *arguments: str) -> list[str]:
    """Return the command line that runs `module` as a program, say "app.devices.helper" or "converters"."""
    return [*_python(module), *arguments]


def _python(module: str) -> list[str]:
    if getattr(sys, "frozen", False):
        return [sys.executable] if module == "app" else [sys.executable, "--child", module]
    # -P: a folder that happens to be the current one must not lend modules to a child.
    return [sys.executable, "-P", "-m", module]


def child_environment(extra: Mapping[str, str] | None = None, *, secrets: bool = True) -> dict[str, str]:
    """Return the environment of a child: the parent's, UTF-8 everywhere, no debugger forked by ggml's aborts.

    secrets: whether tokens and keys go along; a child that reads other people's files has no use for them."""
    kept = {name: value for name, value in os.environ.items() if secrets or not _SECRET.search(name)}
    return {**kept, "PYTHONUTF8": "1", "GGML_NO_BACKTRACE": "1", **(extra or {})}
