"""What llama.cpp says while it works: its log goes to stderr, and its last complaints are kept to explain a failure."""

import ctypes
import re
import sys
from collections import deque
from typing import Any

from app.core.errors import AppError, EngineFailed, NotEnoughMemory, UnsupportedModel
from app.core.units import format_size
from app.llama.bindings import engine_version
from app.llama.logs import without_functions

_WARN = 3  # GGML_LOG_LEVEL_WARN (ggml.h); 4 is ERROR, 5 CONTINUES the line before
_CONTINUES = 5
_KEPT_LINES = 40
_REFUSED = re.compile(r"failed to allocate (?P<device>\S+) buffer of size (?P<size>\d+)")
_NO_MEMORY = re.compile(
    r"allocating .* failed: out of|Cannot allocate memory|bad_alloc|unable to allocate|failed to allocate|out of memory"
)
_ARCHITECTURE = re.compile(r"unknown model architecture: '(?P<name>[^']*)'")
_PRE_TOKENIZER = re.compile(r"unknown pre-tokenizer type: '(?P<name>[^']*)'")


class LlamaLog:
    """Receives llama.cpp's log; keep the object for as long as llama.cpp runs (it owns the C callback)."""

    def __init__(self, llama: Any) -> None:
        self._lines: deque[str] = deque(maxlen=_KEPT_LINES)
        self._shown = False
        self._callback = llama.llama_log_callback(self._receive)
        llama.llama_log_set(self._callback, ctypes.c_void_p(0))

    def clear(self) -> None:
        """Forget what was said so far."""
        self._lines.clear()

    def text(self) -> str:
        """Return the complaints kept, one a line."""
        return "\n".join(self._lines)

    def _receive(self, level: int, text: bytes, _: Any) -> None:
        if level == _CONTINUES:
            level = _WARN if self._shown else 0
        self._shown = level >= _WARN
        if self._shown:
            line = text.decode("utf-8", "replace")
            self._lines.append(line.rstrip("\n"))
            sys.stderr.write(line)

    def explain(self, what: str) -> AppError:
        """Return the error that the complaints amount to; `what` names what failed, "Loading NAME"."""
        said = self.text()
        if match := _ARCHITECTURE.search(said):
            return _unsupported(what, f"its architecture {match['name']!r}")
        if match := _PRE_TOKENIZER.search(said):
            return _unsupported(what, f"its tokenizer {match['name']!r}")
        if (refused := _REFUSED.search(said)) or _NO_MEMORY.search(said):
            room = f"{format_size(int(refused['size']))} on {refused['device']}" if refused else "it in memory"
            return NotEnoughMemory(
                f"{what} failed: there is no room for {room}.",
                hint="Lower the context, close other programs, or let fewer layers run on the GPU.",
                detail=said,
            )
        reason = without_functions(next((line for line in self._lines if "error" in line.lower()), ""))
        words = f"{what} failed: {reason}" if reason else f"{what} failed"
        return EngineFailed(
            f"{words.rstrip('.')}.",
            hint="The file may be damaged: check it with `pronk models verify`, or download it again.",
            detail=said,
        )


def _unsupported(what: str, thing: str) -> UnsupportedModel:
    return UnsupportedModel(
        f"{what} failed: the engine (llama-cpp-python {engine_version()}) does not know {thing}.",
        hint="Update Pronk: a newer engine may know this model. Until then choose another model.",
    )
