"""llama.cpp's own answer to how much memory a context takes: a C++ map, decoded by its layout.

llama_get_memory_breakdown (llama.cpp src/llama-ext.h) returns std::map<buffer type, {model, context, compute}> by
value. The layout read here is libstdc++'s (bits/stl_tree.h); every answer is checked before it is believed.
"""

import ctypes
import math
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.core.errors import EngineFailed
from app.llama.ggml import ggml, text

SYMBOL = "_Z26llama_get_memory_breakdownPK13llama_context"
MOST_BUFFER_TYPES = 64
MOST_BYTES = 1 << 50
MIB = 2**20
LOGGED_COMPUTE = re.compile(r"(\S+) compute buffer size =\s*([\d.]+) MiB")


class _Map(ctypes.Structure):
    """libstdc++'s std::map, 48 bytes; the header's parent is the root."""

    _fields_ = (
        ("compare", ctypes.c_uint64),
        ("colour", ctypes.c_uint64),
        ("parent", ctypes.c_void_p),
        ("left", ctypes.c_void_p),
        ("right", ctypes.c_void_p),
        ("count", ctypes.c_size_t),
    )


class _Node(ctypes.Structure):
    _fields_ = (
        ("colour", ctypes.c_uint32),
        ("parent", ctypes.c_void_p),
        ("left", ctypes.c_void_p),
        ("right", ctypes.c_void_p),
        ("buffer_type", ctypes.c_void_p),
        ("model", ctypes.c_size_t),
        ("context", ctypes.c_size_t),
        ("compute", ctypes.c_size_t),
    )


@dataclass(frozen=True)
class BufferUse:
    """Bytes in one buffer type; `device` is the GPU's id, "" on the host."""

    buffer_type: str
    device: str
    model_bytes: int
    context_bytes: int
    compute_bytes: int


class UnreadableMemory(EngineFailed):
    """llama.cpp's answer cannot be decoded, or is not to be believed."""


class MemoryReader:
    """Reads the breakdown of contexts; raises UnreadableMemory where its layout is not known."""

    def __init__(self, llama: Any) -> None:
        self._function = _breakdown_function(llama)

    def read(self, context: Any) -> tuple[BufferUse, ...]:
        """Return the bytes of a context and its model by buffer type; raises UnreadableMemory for an odd answer."""
        answer = self._function(context)
        if not 1 <= answer.count <= MOST_BUFFER_TYPES or not answer.parent:
            raise _odd(f"{answer.count} buffer types")
        nodes = list(_walk(answer.parent, answer.count))
        if len(nodes) != answer.count:
            raise _odd(f"{len(nodes)} of {answer.count} nodes")
        return tuple(_use(node) for node in nodes)


def check_against_log(uses: Sequence[BufferUse], log: Sequence[str]) -> None:
    """Raise UnreadableMemory unless the compute buffers are those that llama.cpp logged, to the 0.01 MiB it prints."""
    logged = logged_compute(log)
    read = {use.buffer_type: use.compute_bytes / MIB for use in uses if use.compute_bytes}
    if logged and any(abs(read.get(name, 0.0) - logged.get(name, 0.0)) > 0.02 for name in {*read, *logged}):
        raise _odd(f"compute buffers {read} where the log says {logged}")


def logged_compute(log: Sequence[str]) -> dict[str, float]:
    """Return the compute buffers in MiB by buffer type, as llama.cpp logged them."""
    # A context may be laid out twice (once to settle flash attention); the last one counts.
    matches = (LOGGED_COMPUTE.search(line) for line in log)
    return {match[1]: float(match[2]) for match in matches if match}


def uses_from_log(log: Sequence[str], devices: Mapping[str, str]) -> tuple[BufferUse, ...]:
    """Return the compute buffers alone, as far as the log tells: rounded up from the 0.01 MiB that it prints.

    devices: ids by buffer type; other types are the host's.
    """
    return tuple(
        BufferUse(name, devices.get(name, ""), 0, 0, math.ceil((size + 0.005) * MIB))
        for name, size in logged_compute(log).items()
    )


def _breakdown_function(llama: Any) -> Any:
    if sys.platform != "linux" or ctypes.sizeof(ctypes.c_void_p) != 8 or _has_other_cpp_library():
        raise UnreadableMemory(
            "llama.cpp's memory answer cannot be read on this system yet.", hint="Pronk computes sizes by formula."
        )
    try:
        function = getattr(llama._lib, SYMBOL)
    except AttributeError as error:
        raise UnreadableMemory(
            "This build of llama.cpp has no memory breakdown.", hint="Pronk computes sizes by formula."
        ) from error
    function.restype = _Map
    function.argtypes = [ctypes.c_void_p]
    return function


def _has_other_cpp_library() -> bool:
    """Tell whether LLVM's libc++ is in this process: its map looks different."""
    try:
        return "libc++.so" in Path("/proc/self/maps").read_text()
    except OSError:
        return True


def _walk(root: int, most: int) -> Iterator[_Node]:
    """Yield the tree's nodes in no order that matters, at most `most` + 1 of them."""
    pending: list[tuple[int, int | None]] = [(root, None)]
    seen = 0
    while pending and seen <= most:
        address, parent = pending.pop()
        node = _Node.from_address(address)
        if node.colour > 1 or (parent is not None and node.parent != parent):
            raise _odd("a broken tree")
        seen += 1
        yield node
        pending += [(child, address) for child in (node.left, node.right) if child]


def _use(node: _Node) -> BufferUse:
    sizes = (node.model, node.context, node.compute)
    if not node.buffer_type or max(sizes) > MOST_BYTES:
        raise _odd(f"sizes {sizes}")
    return BufferUse(text(ggml("ggml_backend_buft_name")(node.buffer_type)), _device(node.buffer_type), *sizes)


def _device(buffer_type: int) -> str:
    device = ggml("ggml_backend_buft_get_device")(buffer_type)
    if not device or ggml("ggml_backend_buft_is_host")(buffer_type):
        return ""
    # ggml-backend.h: CPU 0, GPU 1, integrated GPU 2; CPU_REPACK and AMX buffers are the CPU's though not "host".
    return text(ggml("ggml_backend_dev_name")(device)) if ggml("ggml_backend_dev_type")(device) in (1, 2) else ""


def _odd(what: str) -> UnreadableMemory:
    return UnreadableMemory(
        f"llama.cpp's memory answer failed its check ({what}).", hint="Pronk computes sizes by formula instead."
    )
