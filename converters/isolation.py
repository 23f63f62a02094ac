"""Takes away from the converting process what it has no use for: the network, and the user's tokens.

A model's files are somebody else's data. Nothing of them is ever run; should a fault in a parser change that one day,
there is no token to steal and no way out by Python's sockets.
"""

import os
import re
import sys

from converters.errors import ConvertError

_SECRET = re.compile(r"(?:TOKEN|API_?KEY|SECRET|PASSWORD|CREDENTIAL)(?!IZER)", re.IGNORECASE)
_NETWORK = (
    "socket.connect", "socket.bind", "socket.sendto", "socket.sendmsg", "socket.getaddrinfo", "socket.gethostbyname",
    "socket.gethostbyaddr", "socket.getnameinfo",
)  # fmt: skip


def isolate() -> None:
    """Drop the environment's secrets, and refuse every use of the network from now on; cannot be undone."""
    for name in [name for name in os.environ if _SECRET.search(name)]:
        del os.environ[name]
    sys.addaudithook(_refuse_network)


def _refuse_network(event: str, arguments: tuple[object, ...]) -> None:
    if event in _NETWORK:
        raise ConvertError(f"A conversion uses no network, but something asked for it ({event}).")
