"""ggml's own functions for devices and buffers, which llama-cpp-python does not declare."""

import ctypes
from functools import cache
from typing import Any

from app.llama.bindings import load_ggml

SIZE_POINTER = ctypes.POINTER(ctypes.c_size_t)


class DeviceProps(ctypes.Structure):
    """ggml-backend.h, ggml_backend_dev_props."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("description", ctypes.c_char_p),
        ("memory_free", ctypes.c_size_t),
        ("memory_total", ctypes.c_size_t),
        ("type", ctypes.c_int),
        ("device_id", ctypes.c_char_p),
        # Capabilities, five bools; room for more of them.
        ("capabilities", ctypes.c_bool * 32),
    )


# library, function, result, arguments (ggml-backend.h)
_FUNCTIONS: tuple[tuple[str, str, Any, tuple[Any, ...]], ...] = (
    ("ggml", "ggml_backend_dev_count", ctypes.c_size_t, ()),
    ("ggml", "ggml_backend_dev_get", ctypes.c_void_p, (ctypes.c_size_t,)),
    ("ggml", "ggml_backend_dev_by_name", ctypes.c_void_p, (ctypes.c_char_p,)),
    ("ggml", "ggml_backend_reg_count", ctypes.c_size_t, ()),
    ("ggml", "ggml_backend_reg_get", ctypes.c_void_p, (ctypes.c_size_t,)),
    ("ggml", "ggml_backend_register", None, (ctypes.c_void_p,)),
    ("ggml-base", "ggml_backend_reg_name", ctypes.c_char_p, (ctypes.c_void_p,)),
    ("ggml-base", "ggml_backend_dev_name", ctypes.c_char_p, (ctypes.c_void_p,)),
    ("ggml-base", "ggml_backend_dev_description", ctypes.c_char_p, (ctypes.c_void_p,)),
    ("ggml-base", "ggml_backend_dev_type", ctypes.c_int, (ctypes.c_void_p,)),
    ("ggml-base", "ggml_backend_dev_backend_reg", ctypes.c_void_p, (ctypes.c_void_p,)),
    ("ggml-base", "ggml_backend_dev_buffer_type", ctypes.c_void_p, (ctypes.c_void_p,)),
    ("ggml-base", "ggml_backend_dev_get_props", None, (ctypes.c_void_p, ctypes.POINTER(DeviceProps))),
    ("ggml-base", "ggml_backend_dev_memory", None, (ctypes.c_void_p, SIZE_POINTER, SIZE_POINTER)),
    ("ggml-base", "ggml_backend_buft_name", ctypes.c_char_p, (ctypes.c_void_p,)),
    ("ggml-base", "ggml_backend_buft_is_host", ctypes.c_bool, (ctypes.c_void_p,)),
    ("ggml-base", "ggml_backend_buft_get_device", ctypes.c_void_p, (ctypes.c_void_p,)),
    ("ggml-base", "ggml_backend_buft_get_max_size", ctypes.c_size_t, (ctypes.c_void_p,)),
    ("ggml-base", "ggml_backend_buft_alloc_buffer", ctypes.c_void_p, (ctypes.c_void_p, ctypes.c_size_t)),
    ("ggml-base", "ggml_backend_buffer_free", None, (ctypes.c_void_p,)),
)


@cache
def ggml(name: str) -> Any:
    """Return one of ggml's functions by its full name, its types declared."""
    library, _, result, arguments = next(row for row in _FUNCTIONS if row[1] == name)
    function = getattr(load_ggml(library), name)
    function.restype = result
    function.argtypes = list(arguments)
    return function


def text(value: bytes | None) -> str:
    """Return a C string as text."""
    return (value or b"").decode("utf-8", "replace")
