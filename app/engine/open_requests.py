"""A request that waits for its worker, and how another worker takes it over."""

import asyncio
from typing import Any

from app.core.errors import AppError

Event = dict[str, Any]

LAST = ("end", "error", "tokens")


class OpenRequest:
    """A command that was sent, and what was answered so far. One thread uses it, the event loop's."""

    def __init__(self, command: Event) -> None:
        self.command = command
        self.events: asyncio.Queue[Event] = asyncio.Queue()
        self.ended = False
        self._written: list[str] = []
        self._begun = False

    def take(self, event: Event) -> None:
        """Pass on an event of the worker; the client hears but one beginning."""
        if event["event"] == "start" and self._begun:
            return
        self._begun = True
        self.ended = event["event"] in LAST
        if event["event"] == "text":
            self._written.append(event["text"])
        self.events.put_nowait(event)

    def fail(self, error: AppError) -> None:
        """End it with an error."""
        self.events.put_nowait({"event": "error", **error.as_event()})

    def again(self) -> Event:
        """Return the command for another worker: what was written goes along, so that it is continued, not repeated."""
        return {**self.command, "written": "".join(self._written)} if self._written else self.command
