"""What set-up says: one line per step, one moving line while something long runs."""

import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

SECONDS_BETWEEN_LINES = 30.0


class SetupError(Exception):
    """Set-up cannot go on; the message is whole and meant for the user."""


def say(text: str) -> None:
    """Print one line of news."""
    print(text, flush=True)


@contextmanager
def step(name: str) -> Iterator[None]:
    """Print a finished step with the seconds that it took."""
    started = time.monotonic()
    yield
    say(f"  {name:<58} {time.monotonic() - started:6.1f} s")


class ProgressLine:
    """One line that tells how far a long step is: redrawn on a terminal, repeated every half minute elsewhere."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._started = time.monotonic()
        self._terminal = sys.stdout.isatty()
        self._next_line = self._started + SECONDS_BETWEEN_LINES

    def update(self, position: str) -> None:
        """Show the time that went by and a position such as "[12/330]"."""
        now = time.monotonic()
        minutes, seconds = divmod(int(now - self._started), 60)
        text = f"  {self._title}  {minutes}:{seconds:02d}  {position}".rstrip()
        if self._terminal:
            width = shutil.get_terminal_size().columns - 1
            print("\r" + text[:width].ljust(width), end="", flush=True)
        elif now >= self._next_line:
            self._next_line = now + SECONDS_BETWEEN_LINES
            say(text)

    def clear(self) -> None:
        """Wipe the moving line, so that the next line starts clean."""
        if self._terminal:
            print("\r" + " " * (shutil.get_terminal_size().columns - 1) + "\r", end="", flush=True)
