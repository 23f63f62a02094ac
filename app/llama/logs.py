"""What llama.cpp says while it works, kept instead of printed."""

import ctypes
import re
from collections import deque
from typing import Any

KEPT_LINES = 400
_DEBUG, _CONTINUES = 1, 5
_CALLBACK = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
# "llama_model_load: error loading model: error loading model hyperparameters: key not found …"
_PREFIX = re.compile(r"^(?:\w+: )?(?:error loading model(?: \w+)?: |[a-z]\w*_\w*: )*")


class LogCollector:
    """Keeps the last lines that llama.cpp and ggml log in this process; keep it alive as long as they run.

    Debug lines, thousands a load, are passed over before they become Python's text. Source: llama.h llama_log_set;
    levels are ggml.h's (1 debug, 2 info, 3 warning, 4 error, 5 continues a line).
    """

    def __init__(self, llama: Any) -> None:
        self._lines: deque[tuple[int, str]] = deque(maxlen=KEPT_LINES)
        self._skips = False
        self._callback = _CALLBACK(self._take)
        llama.llama_log_set(ctypes.cast(self._callback, llama.llama_log_callback), ctypes.c_void_p(0))

    def _take(self, level: int, text: int, _: Any) -> None:
        if level == _DEBUG or (level == _CONTINUES and self._skips):
            self._skips = True
            return
        self._skips = False
        line = ctypes.string_at(text).decode("utf-8", "replace")
        if level == _CONTINUES and self._lines:
            last_level, last = self._lines.pop()
            self._lines.append((last_level, last + line))
            return
        self._lines.append((level, line))

    def clear(self) -> None:
        """Forget what was said."""
        self._lines.clear()

    def lines(self, least_level: int = 0) -> list[str]:
        """Return the lines of at least this level, oldest first."""
        return [line.rstrip() for level, line in self._lines if level >= least_level]

    def last_error(self) -> str:
        """Return the last errors without the names of functions, "no reason given" when there are none."""
        told = [without_functions(line) for line in self.lines(least_level=4)[-3:]]
        reasons = [line for line in told if line and line != "failed to load model"]
        return "; ".join(dict.fromkeys(reasons)) or "no reason given"


def without_functions(line: str) -> str:
    """Return what a line of the log says without the functions it names first: "llama_model_load: …"."""
    return _PREFIX.sub("", line.strip())
