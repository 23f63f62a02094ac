"""A computer that lends memory and is gone without a word (asleep, unplugged) must be noticed.

llama.cpp waits for its answer without end (transport.cpp: no time limit, no keep-alive). The system is told to ask such
a computer for signs of life; when none come, the connection breaks and llama.cpp's own failure follows.
"""

import contextlib
import os
import socket
import sys
from collections.abc import Iterator

IDLE_S, EVERY_S, TRIES = 10, 5, 4
UNANSWERED_MS = (IDLE_S + EVERY_S * TRIES) * 1000
MOST_FILES = 1024


def keep_watch(endpoints: list[str]) -> int:
    """Ask for signs of life on every connection of this process to "HOST:PORT"s; returns how many those are.

    Where files cannot be looked through by number (Windows) there is nothing to be done.
    """
    if sys.platform == "win32":
        return 0
    watched = 0
    wanted = {_address(endpoint) for endpoint in endpoints}
    for connection in _connections():
        with contextlib.suppress(OSError):
            if connection.getpeername()[:2] in wanted:
                _ask_for_life(connection)
                watched += 1
    return watched


def _address(endpoint: str) -> tuple[str, int]:
    host, _, port = endpoint.rpartition(":")
    try:
        return socket.gethostbyname(host), int(port)
    except (OSError, ValueError):
        return "", 0


def _connections() -> Iterator[socket.socket]:
    """Yield this process's sockets; each is a second handle of the same connection, closed afterwards."""
    for number in range(3, MOST_FILES):
        try:
            handle = os.dup(number)
        except OSError:
            continue
        try:
            found = socket.socket(fileno=handle)
        except OSError:  # a file, a pipe
            os.close(handle)
            continue
        with found:
            yield found


def _ask_for_life(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    idle = getattr(socket, "TCP_KEEPIDLE", getattr(socket, "TCP_KEEPALIVE", None))  # macOS has the other name
    options = [(idle, IDLE_S)]
    options += [(getattr(socket, "TCP_KEEPINTVL", None), EVERY_S), (getattr(socket, "TCP_KEEPCNT", None), TRIES)]
    options += [(getattr(socket, "TCP_USER_TIMEOUT", None), UNANSWERED_MS)]
    for option, value in options:
        if option is not None:
            connection.setsockopt(socket.IPPROTO_TCP, option, value)
