"""Other computers' memory through llama.cpp's RPC backend.

ggml aborts the process when a connection fails and waits without end for an answer (ggml-rpc.cpp, transport.cpp), so
each computer is greeted here first, with a time limit.
"""

import ctypes
import re
import socket
import struct
import time
from collections.abc import Iterable

from app.core.errors import BadRequest, EngineFailed
from app.llama.bindings import engine_version, load_ggml
from app.llama.ggml import ggml

GREET_TIMEOUT_S = 3.0
# Of the engine that is known; another's version is left for it to check.
KNOWN_VERSION, PROTOCOL_MAJOR = "0.3.36", 7
_HELLO, _CAPABILITIES_BYTES = 14, 24  # ggml-rpc.cpp, RPC_CMD_HELLO; transport.h, RPC_CONN_CAPS_SIZE
_ANSWER = struct.Struct(f"<Q4B{_CAPABILITIES_BYTES}x")  # size of what follows, major, minor, patch, padding
_START_HINT = "Start `pronk worker --host ADDRESS` there and check address, port and firewall."


def not_secret(endpoint: str) -> str:
    """Return the warning that goes with every connection."""
    return f"The connection to {endpoint} is neither encrypted nor authenticated: use trusted networks only."


def add_servers(endpoints: Iterable[str]) -> None:
    """Register each "HOST:PORT" once; raises for the first that fails, as add_server does."""
    for endpoint in dict.fromkeys(endpoints):
        add_server(endpoint)


def add_server(endpoint: str) -> None:
    """Register "HOST:PORT" as devices of this process; the library must be started.

    Raises EngineFailed when this build has no RPC, or nobody lends memory there; BadRequest for what is no HOST:PORT.
    """
    greet(endpoint)
    add = load_ggml("ggml-rpc").ggml_backend_rpc_add_server
    add.restype, add.argtypes = ctypes.c_void_p, [ctypes.c_char_p]
    registry = add(endpoint.encode())
    if not registry:
        raise EngineFailed(f"The computer at {endpoint} lends no memory.", hint=_START_HINT)
    ggml("ggml_backend_register")(registry)


def greet(endpoint: str, timeout_s: float = GREET_TIMEOUT_S) -> tuple[int, int, int]:
    """Return the protocol's version that the computer at "HOST:PORT" speaks, asked without llama.cpp.

    Raises EngineFailed, within about `timeout_s`, when nobody answers, something else does, or the versions differ.
    """
    host, port = split_endpoint(endpoint)
    deadline_s = time.monotonic() + timeout_s
    try:
        connection = socket.create_connection((socket.gethostbyname(host), port), timeout_s)
    except (OSError, UnicodeError) as error:  # UnicodeError: a name that no computer can have
        raise EngineFailed(f"The computer at {endpoint} does not answer ({error}).", hint=_START_HINT) from error
    with connection:
        answer = _greeted(connection, endpoint, deadline_s)
    if len(answer) != _ANSWER.size or answer[:8] != struct.pack("<Q", _ANSWER.size - 8):
        raise EngineFailed(f"What listens at {endpoint} is not llama.cpp's RPC server.", hint=_START_HINT)
    _, major, minor, patch, _ = _ANSWER.unpack(answer)
    if engine_version() == KNOWN_VERSION and major != PROTOCOL_MAJOR:
        raise EngineFailed(
            f"The computer at {endpoint} speaks version {major}.{minor}.{patch} of the RPC protocol, "
            f"this one version {PROTOCOL_MAJOR}.",
            hint="Use the same version of Pronk, or of llama.cpp, on both.",
        )
    return major, minor, patch


def split_endpoint(endpoint: str) -> tuple[str, int]:
    """Return host and port of "HOST:PORT"; raises BadRequest for anything else. ggml knows IPv4 only."""
    host, _, port = endpoint.rpartition(":")
    if not host or ":" in host or not re.fullmatch(r"\d{1,5}", port, re.ASCII) or not 0 < int(port) < 65536:
        raise BadRequest(f"{endpoint} is no HOST:PORT.", hint="Write for example 192.168.1.20:50052.")
    return host, int(port)


def _greeted(connection: socket.socket, endpoint: str, deadline_s: float) -> bytes:
    """Say hello and return the answer, or as much of it as came before the other side hung up."""
    answer = b""
    try:
        connection.sendall(struct.pack("<BQ", _HELLO, _CAPABILITIES_BYTES) + bytes(_CAPABILITIES_BYTES))
        while len(answer) < _ANSWER.size:
            connection.settimeout(max(0.001, deadline_s - time.monotonic()))
            part = connection.recv(_ANSWER.size - len(answer))
            if not part:
                break
            answer += part
    except TimeoutError as error:
        raise EngineFailed(
            f"The computer at {endpoint} takes the connection but does not answer.",
            hint="It serves one program at a time: end the other one that uses it, or check address and port.",
        ) from error
    except OSError:  # hung up: judged by what it said until then
        return answer
    return answer
