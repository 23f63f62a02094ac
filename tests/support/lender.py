"""Computers that lend memory, and such that only seem to."""

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from app.jobs.commands import pronk_command
from app.jobs.job import Job
from app.jobs.process import Event
from tests.support.waiting import wait_until

HELLO_BYTES = 33


class Lender:
    """A running `pronk worker` with the events it has told so far."""

    def __init__(self, log: Path, *words: str) -> None:
        self.events: list[Event] = []
        command = pronk_command("worker", "--events", "--watch-stdin", "--port", "0", *words)
        self.job = Job(command, self.events.append, log)

    def wait_for(self, kind: str, count: int = 1) -> Event:
        """Return the `count`th event of a kind, once it was told."""
        wait_until(lambda: self.told(kind) >= count or not self.job.running, 30, kind)
        return [event for event in self.events if event["event"] == kind][count - 1]

    def told(self, kind: str) -> int:
        """Return how many events of a kind there were."""
        return sum(1 for event in self.events if event["event"] == kind)

    @property
    def endpoint(self) -> str:
        """Where it lends."""
        return str(self.wait_for("ready")["endpoint"])

    def end(self) -> None:
        """End it, whatever it does."""
        with contextlib.suppress(BaseException):
            self.job.cancel()
            self.job.wait(10)


@contextlib.contextmanager
def listening(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """Yield "HOST:PORT" of a listener that treats each connection with `answer` on a thread."""
    listener = socket.create_server(("127.0.0.1", 0))
    over = threading.Event()

    def serve() -> None:
        while not over.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection, contextlib.suppress(OSError):
                answer(connection)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{listener.getsockname()[1]}"
    finally:
        over.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(10)


def silent(connection: socket.socket) -> None:
    """Take what comes and say nothing until the other side hangs up."""
    while connection.recv(4096):
        pass


def trickling(connection: socket.socket) -> None:
    """Send a byte whenever the other side might lose patience."""
    pause = threading.Event()
    for _ in range(100):
        connection.sendall(b"\x1c")
        pause.wait(0.1)


def web_server(connection: socket.socket) -> None:
    """Answer like one that was sent nonsense."""
    connection.recv(HELLO_BYTES)
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")


def hanging_up(connection: socket.socket) -> None:
    """Hang up at once."""


def older(connection: socket.socket) -> None:
    """Greet like llama.cpp's RPC server of two years ago."""
    connection.recv(HELLO_BYTES)
    connection.sendall(struct.pack("<Q4B24x", 28, 2, 0, 0, 0))
