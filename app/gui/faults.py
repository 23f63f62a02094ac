"""What happens to a bug in a slot: its traceback goes to the log, the user gets a sentence, the window stays."""

import logging
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from app import __version__
from app.core.errors import AppError, Bug

TASKS_LOGGER = "app.gui.tasks"


class FaultLog:
    """Takes over sys.excepthook and the log of failed tasks between start() and stop(); `tell` gets a Bug."""

    def __init__(self, log: Path, tell: Callable[[AppError], None]) -> None:
        self._log = log
        self._tell = tell
        self._before = sys.excepthook
        self._handler = _FileHandler(self)

    def start(self) -> None:
        """Begin to catch."""
        sys.excepthook = self._on_exception
        logging.getLogger(TASKS_LOGGER).addHandler(self._handler)

    def stop(self) -> None:
        """Hand back."""
        sys.excepthook = self._before
        logging.getLogger(TASKS_LOGGER).removeHandler(self._handler)

    def write(self, error: BaseException) -> None:
        """Append a traceback to the log; a log that cannot be written is told on stderr instead."""
        trace = "".join(traceback.format_exception(error))
        try:
            with self._log.open("a", encoding="utf-8") as file:
                file.write(f"--- {time.strftime('%Y-%m-%d %H:%M:%S')} pronk {__version__}\n{trace}")
        except OSError:
            sys.stderr.write(trace)

    def _on_exception(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if isinstance(error, KeyboardInterrupt):
            self._before(kind, error, trace)
            return
        self.write(error)
        message = f"Something in Pronk failed unexpectedly ({kind.__name__}: {error})."
        self._tell(Bug(message, hint=f"Your conversations are stored. The details stand in {self._log}."))


class _FileHandler(logging.Handler):
    """Writes what a failed task logged."""

    def __init__(self, faults: FaultLog) -> None:
        super().__init__()
        self._faults = faults

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record's exception."""
        if record.exc_info and record.exc_info[1] is not None:
            self._faults.write(record.exc_info[1])
