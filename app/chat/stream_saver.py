"""Stores an answer while it is written, at least once a second."""

import threading
import time
from collections.abc import Callable

from app.core.errors import AppError


class StreamSaver:
    """Gathers streamed text and hands the whole of it to `save` when it is time.

    With the interval of 0.75 s, no text waits longer than a second. Use it in a with statement: a small thread also
    stores what waits while no text comes, and the end stores the rest. A store that fails (a full disk) does not stop
    the answer: it is tried again an interval later, and only the failure of the last try is raised, with the text still
    in `text`.
    """

    def __init__(
        self, save: Callable[[str], object], interval_s: float = 0.75, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._save = save
        self._interval_s = interval_s
        self._clock = clock
        self._parts: list[str] = []
        self._unsaved = False
        self._saved_at = clock()
        self._turn = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="stream saver")

    @property
    def text(self) -> str:
        """All text so far."""
        return "".join(self._parts)

    def add(self, chunk: str) -> None:
        """Take a piece of text; stores everything when it is time."""
        with self._turn:
            self._parts.append(chunk)
            self._unsaved = True
        self.tick()

    def tick(self) -> None:
        """Store what waits, if it is time; a failure is kept for the next try."""
        with self._turn:
            if self._unsaved and self._clock() - self._saved_at >= self._interval_s:
                try:
                    self._store()
                except AppError:
                    self._unsaved = True

    def flush(self) -> None:
        """Store what waits, now; raises what the store raises."""
        with self._turn:
            if self._unsaved:
                self._store()

    def __enter__(self) -> "StreamSaver":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self.flush()

    def _store(self) -> None:
        self._saved_at = self._clock()
        self._save(self.text)
        self._unsaved = False

    def _watch(self) -> None:
        while not self._ended.wait(self._interval_s / 4):
            self.tick()
