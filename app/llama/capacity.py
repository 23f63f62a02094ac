"""How much a device really gives, found by asking it for buffers; what it tells of its free memory may be wrong.

Nothing is written into the buffers. Must run in a child: a device that fails can abort the process.
"""

import ctypes
from collections.abc import Callable

from app.llama.devices import device_pointer
from app.llama.ggml import ggml

STEP_BYTES = 8 * 2**20


def capacity_of(device_id: str, most_bytes: int) -> int:
    """Return how many bytes the device gives at once, at most `most_bytes`, to 8 MiB; 0 for one that is not there."""
    device = device_pointer(device_id)
    if device is None or most_bytes <= 0:
        return 0
    buffer_type = ggml("ggml_backend_dev_buffer_type")(device)
    return largest(lambda size_bytes: _gives(buffer_type, size_bytes), most_bytes)


def free_bytes_of(device_id: str) -> int:
    """Return what the device says is free; 0 for one that is not there."""
    device = device_pointer(device_id)
    if device is None:
        return 0
    free, total = ctypes.c_size_t(), ctypes.c_size_t()
    ggml("ggml_backend_dev_memory")(device, ctypes.byref(free), ctypes.byref(total))
    return free.value


def largest(gives: Callable[[int], bool], most_bytes: int) -> int:
    """Return the largest size up to `most_bytes` that is given, found by halving to 8 MiB."""
    if gives(most_bytes):
        return most_bytes
    low, high = 0, most_bytes
    while high - low > STEP_BYTES:
        middle = (low + high) // 2
        low, high = (middle, high) if gives(middle) else (low, middle)
    return low


def _gives(buffer_type: int, size_bytes: int) -> bool:
    """Ask for so much, in pieces of the largest size that the device knows, and give it back."""
    piece_bytes = max(1, ggml("ggml_backend_buft_get_max_size")(buffer_type))
    buffers: list[int] = []
    left_bytes = size_bytes
    try:
        while left_bytes > 0:
            buffer = ggml("ggml_backend_buft_alloc_buffer")(buffer_type, min(piece_bytes, left_bytes))
            if not buffer:
                return False
            buffers.append(buffer)
            left_bytes -= piece_bytes
        return True
    finally:
        for buffer in buffers:
            ggml("ggml_backend_buffer_free")(buffer)
