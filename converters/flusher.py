"""Sends what was written to the disk while more is computed, so that the end need not wait for all of it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from converters.output import Parts

INTERVAL_S = 1.0


@contextmanager
def flushed_in_the_background(parts: Parts) -> Iterator[None]:
    """Flush the parts again and again, and mark in the journal what has reached the disk.

    The system tells an error of the disk once, so the one that ended the flushing is raised at the end."""
    ended = threading.Event()
    failures: list[OSError] = []

    def flush() -> None:
        while not ended.wait(INTERVAL_S):
            try:
                _flush_once(parts)
            except OSError as error:
                failures.append(error)
                return

    thread = threading.Thread(target=flush, name="flush")
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
    if failures:
        raise failures[0]


def _flush_once(parts: Parts) -> None:
    count = parts.journal.count
    for part in parts.files:
        part.flush()
    parts.journal.mark_flushed(count)
