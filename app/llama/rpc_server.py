"""Lending this computer's devices through llama.cpp's RPC server; for a child, which it never leaves."""

import ctypes
from collections.abc import Callable, Mapping
from typing import Any

from app.core.errors import EngineFailed
from app.llama.bindings import engine_version, load_ggml
from app.llama.devices import device_pointer
from app.llama.ggml import SIZE_POINTER

# The struct that tell_memory writes to is private to ggml and changes between versions.
KNOWN_VERSION = "0.3.36"
_GET_MEMORY = 2  # ggml-backend-impl.h, ggml_backend_device_i: get_name, get_description, get_memory
_MEMORY_FUNCTION = ctypes.CFUNCTYPE(None, ctypes.c_void_p, SIZE_POINTER, SIZE_POINTER)

FreeAndTotal = Callable[[], tuple[int, int]]


def tell_memory(memory: Mapping[str, FreeAndTotal]) -> list[Any]:
    """Let devices, by their ids, answer with (free, total) bytes of ours; keep what is returned as long as they do.

    ggml tells all of main memory as free, and knows no limit to what is lent. An engine of another version keeps its
    own figures.
    """
    if engine_version() != KNOWN_VERSION:
        return []
    return [_tell(_pointer(device_id), answer) for device_id, answer in memory.items()]


def serve_devices(endpoint: str, n_threads: int, device_ids: list[str]) -> None:
    """Serve one client after the other at "ADDRESS:PORT" until the process ends; returns only when it cannot listen.

    n_threads: of the processor, where it is lent. Nothing is kept on disk.
    """
    serve = load_ggml("ggml-rpc").ggml_backend_rpc_start_server
    serve.restype = None
    serve.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_size_t, ctypes.c_void_p]
    devices = (ctypes.c_void_p * len(device_ids))(*(_pointer(device_id) for device_id in device_ids))
    serve(endpoint.encode(), None, n_threads, len(device_ids), devices)


def original_memory(device_id: str) -> FreeAndTotal:
    """Return a function that asks a device as ggml would, also after tell_memory has changed its answer."""
    pointer = _pointer(device_id)
    function = _MEMORY_FUNCTION((ctypes.c_void_p * 3).from_address(pointer)[_GET_MEMORY] or 0)

    def ask() -> tuple[int, int]:
        free, total = ctypes.c_size_t(), ctypes.c_size_t()
        function(pointer, ctypes.pointer(free), ctypes.pointer(total))
        return free.value, total.value

    return ask


def _tell(pointer: int, answer: FreeAndTotal) -> Any:
    def memory(_: int, free: Any, total: Any) -> None:
        free[0], total[0] = answer()

    callback = _MEMORY_FUNCTION(memory)
    (ctypes.c_void_p * 3).from_address(pointer)[_GET_MEMORY] = ctypes.cast(callback, ctypes.c_void_p).value
    return callback


def _pointer(device_id: str) -> int:
    pointer = device_pointer(device_id)
    if pointer is None:
        raise EngineFailed(f"The engine has no device {device_id}.")
    return pointer
