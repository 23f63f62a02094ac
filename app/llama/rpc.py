"""Other computers' memory through llama.cpp's RPC backend."""

import ctypes
import socket
from collections.abc import Iterable

from app.core.errors import EngineFailed
from app.llama.bindings import load_ggml
from app.llama.ggml import ggml

CONNECT_TIMEOUT_S = 3.0
_HINT = "Start llama.cpp's rpc-server there and check address and port."


def add_servers(endpoints: Iterable[str]) -> None:
    """Register each "HOST:PORT"; raises EngineFailed for the first that fails."""
    for endpoint in endpoints:
        add_server(endpoint)


def add_server(endpoint: str) -> None:
    """Register "HOST:PORT" as devices of this process; the library must be started.

    Raises EngineFailed when this build has no RPC, or nobody lends memory there.
    """
    # ggml aborts the process when it cannot connect (ggml-rpc.cpp, get_socket): look first.
    _require_listener(endpoint)
    add = load_ggml("ggml-rpc").ggml_backend_rpc_add_server
    add.restype, add.argtypes = ctypes.c_void_p, [ctypes.c_char_p]
    registry = add(endpoint.encode())
    if not registry:
        raise EngineFailed(f"The computer at {endpoint} lends no memory.", hint=_HINT)
    ggml("ggml_backend_register")(registry)


def _require_listener(endpoint: str) -> None:
    host, _, port = endpoint.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise EngineFailed(f"{endpoint} is no HOST:PORT.", hint="Write for example 192.168.1.20:50052.")
    try:
        socket.create_connection((host, int(port)), CONNECT_TIMEOUT_S).close()
    except OSError as error:
        raise EngineFailed(f"The computer at {endpoint} does not answer ({error}).", hint=_HINT) from error
