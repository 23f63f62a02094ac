"""Other computers' memory through llama.cpp's RPC backend."""

import ctypes
from collections.abc import Iterable

from app.core.errors import EngineFailed
from app.llama.bindings import load_ggml
from app.llama.ggml import ggml


def add_servers(endpoints: Iterable[str]) -> None:
    """Register each "HOST:PORT" as devices of this process; the library must be started.

    Raises EngineFailed when this build has no RPC, or an endpoint does not answer.
    """
    for endpoint in endpoints:
        library = load_ggml("ggml-rpc")
        add = library.ggml_backend_rpc_add_server
        add.restype, add.argtypes = ctypes.c_void_p, [ctypes.c_char_p]
        registry = add(endpoint.encode())
        if not registry:
            raise EngineFailed(
                f"The computer at {endpoint} lends no memory: it does not answer.",
                hint="Start `pronk worker` there and check address and port.",
            )
        ggml("ggml_backend_register")(registry)
