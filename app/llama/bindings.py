"""The C functions of llama.cpp and ggml, through llama-cpp-python's low-level module.

Only that module is loaded: the package's own start imports its high-level half (a pickle cache, a second chat stack)
and takes 300 ms instead of 40.
"""

import ctypes
import importlib
import importlib.util
import sys
from pathlib import Path
from typing import Any

from app.core.errors import EngineFailed

_PACKAGE = "llama_cpp"
_INSTALL_HINT = "Run `make run` in Pronk's folder: it builds and installs the engine."


def load_llama() -> Any:
    """Return the module of llama.h's functions, structs and constants; raises EngineFailed when it can't be loaded."""
    if _PACKAGE not in sys.modules:
        spec = importlib.util.find_spec(_PACKAGE)
        if spec is None:
            raise EngineFailed("The engine (llama-cpp-python) is not installed.", hint=_INSTALL_HINT)
        sys.modules[_PACKAGE] = importlib.util.module_from_spec(spec)
    try:
        return importlib.import_module(f"{_PACKAGE}.llama_cpp")
    except (ImportError, OSError, RuntimeError, AttributeError) as error:
        raise EngineFailed(f"The engine (llama-cpp-python) cannot be loaded: {error}", hint=_INSTALL_HINT) from error


def load_ggml(name: str) -> ctypes.CDLL:
    """Return one of the engine's shared libraries by its short name: "ggml", "ggml-base", "ggml-rpc".

    The versioned file is taken where there is one: the folder holds copies, not links, and a second file name would
    load a second instance of ggml. Raises EngineFailed when this build has no such library.
    """
    folder = Path(load_llama().__file__).parent / "lib"
    for candidate in _file_names(name):
        if (folder / candidate).exists():
            return ctypes.CDLL(str(folder / candidate))
    raise EngineFailed(f"This build of the engine has no {name} library in {folder}.", hint=_INSTALL_HINT)


def _file_names(name: str) -> tuple[str, ...]:
    if sys.platform == "win32":
        return (f"{name}.dll", f"lib{name}.dll")
    if sys.platform == "darwin":
        return (f"lib{name}.0.dylib", f"lib{name}.dylib")
    return (f"lib{name}.so.0", f"lib{name}.so")


def engine_version() -> str:
    """Return the version of llama-cpp-python that is installed, or "" when none is."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("llama-cpp-python")
    except PackageNotFoundError:
        return ""
