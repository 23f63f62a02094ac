"""Lends this process's CPU as an RPC device; run as a child: `python -m tests.support.rpc_server PORT`."""

import ctypes
import sys

from app.llama.bindings import load_ggml, load_llama


def main(port: int) -> None:
    """Serve on the loopback until killed."""
    load_llama().llama_backend_init()
    ggml, rpc = load_ggml("ggml"), load_ggml("ggml-rpc")
    find = ggml.ggml_backend_dev_by_type
    find.restype, find.argtypes = ctypes.c_void_p, [ctypes.c_int]
    serve = rpc.ggml_backend_rpc_start_server
    serve.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_size_t, ctypes.c_void_p]
    devices = (ctypes.c_void_p * 1)(find(0))
    serve(f"127.0.0.1:{port}".encode(), None, 1, 1, devices)


if __name__ == "__main__":
    main(int(sys.argv[1]))
