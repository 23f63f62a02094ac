"""A computer that lends less memory than it claims; run as a child: `python -m tests.support.limited_rpc PORT BYTES`.

It tells the whole machine's memory, but its address space may grow by so many bytes only (`ulimit -v`).
"""

import contextlib
import ctypes
import resource
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from subprocess import Popen

import psutil

from app.jobs.process import start_process
from app.llama.bindings import load_ggml, load_llama
from tests.support.waiting import wait_until


def main(port: int, limit_bytes: int) -> None:
    """Serve on the loopback until killed, with one thread."""
    load_llama().llama_backend_init()
    ggml, rpc = load_ggml("ggml"), load_ggml("ggml-rpc")
    find = ggml.ggml_backend_dev_by_type
    find.restype, find.argtypes = ctypes.c_void_p, [ctypes.c_int]
    serve = rpc.ggml_backend_rpc_start_server
    serve.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_size_t, ctypes.c_void_p]
    devices = (ctypes.c_void_p * 1)(find(0))
    most = psutil.Process().memory_info().vms + limit_bytes
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    serve(f"127.0.0.1:{port}".encode(), None, 1, 1, devices)


@contextlib.contextmanager
def limited_lender(log: Path, limit_bytes: int) -> "Iterator[tuple[str, Popen[str]]]":
    """Yield "HOST:PORT" of such a computer, and its process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = start_process([sys.executable, "-m", "tests.support.limited_rpc", str(port), str(limit_bytes)], log)
    try:
        wait_until(lambda: _listens(process.pid, port), 30, "the lender's start")
        yield f"127.0.0.1:{port}", process
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()


def _listens(pid: int, port: int) -> bool:
    connections = psutil.Process(pid).net_connections("tcp")
    return any(one.status == psutil.CONN_LISTEN and one.laddr.port == port for one in connections)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
