"""A candidate as llama.cpp's parameter structs: what the dry run asks about is what is loaded.

Models are read into memory, not mapped. Mapped, llama.cpp counts the file's whole range as the host's weights, those
that lie on a GPU or were repacked for the processor a second time (Gemma 3 270M: 13,271,040 bytes too many), cannot
be asked beforehand (no_alloc aborts the process), and keeps weights beside a GPU out of pinned memory. Measured with
2.9 GB in Q4_K on two cores: 3.1 GB resident at the peak of a load instead of 4.4, the same speeds afterwards, and 6.7
to 8.2 s to load from the page cache instead of 3.3 to 7.0.
"""

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.core.errors import EngineFailed
from app.llama.devices import device_pointer
from app.llama.ggml import ggml

GGML_TYPES = {"f16": 1, "q8_0": 8, "q4_0": 2}
FLASH_ATTENTION_AUTO = -1
LOAD_MODE_NONE, LOAD_MODE_MMAP = 0, 1


class BufferOverride(ctypes.Structure):
    """llama_model_tensor_buft_override (llama.h), which the bindings lack."""

    _fields_ = (("pattern", ctypes.c_char_p), ("buft", ctypes.c_void_p))


@dataclass(frozen=True)
class ModelParameters:
    """llama_model_params, with everything that its pointers point to kept alive."""

    struct: Any
    _alive: tuple[Any, ...]


@dataclass(frozen=True)
class Placement:
    """Where a model's tensors go: the part of a candidate that a loaded model depends on.

    gpus: ids of the devices used, in the plan's order. overrides: (pattern, device) pairs.
    """

    n_gpu_layers: int
    gpus: tuple[str, ...] = ()
    tensor_split: tuple[int, ...] = ()
    overrides: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class ContextSize:
    """The rest of a candidate: what a context depends on."""

    context: int
    kv_type: str
    n_ubatch: int
    parallel: int
    n_outputs_max: int


def model_parameters(llama: Any, placement: Placement, mapped: bool = False) -> ModelParameters:
    """Return the struct that loads a model with this placement; raises EngineFailed when a device is gone.

    mapped: only for a model that is larger than the memory there is and loaded all the same: the system can drop what
    it maps. Its figures are not the plan's.
    """
    params = llama.llama_model_default_params()
    params.load_mode = LOAD_MODE_MMAP if mapped else LOAD_MODE_NONE
    alive: list[Any] = []
    params.n_gpu_layers = placement.n_gpu_layers
    devices = (ctypes.c_void_p * (len(placement.gpus) + 1))(*(_pointer(gpu) for gpu in placement.gpus), None)
    alive.append(devices)
    params.devices = ctypes.cast(devices, ctypes.c_void_p)
    if placement.tensor_split:
        room = max(int(llama.llama_max_devices()), len(placement.tensor_split))
        split = (ctypes.c_float * room)(*placement.tensor_split)
        alive.append(split)
        params.tensor_split = split
    if placement.overrides:
        rows = override_rows(placement.overrides)
        alive.append(rows)
        params.tensor_buft_overrides = ctypes.cast(rows, ctypes.c_void_p)
    return ModelParameters(params, tuple(alive))


def context_parameters(llama: Any, size: ContextSize, n_threads: int = 1) -> Any:
    """Return the struct of a context: flash attention automatic, no full-size sliding window, one pool of cells."""
    params = llama.llama_context_default_params()
    params.n_ctx = size.context
    params.n_batch = params.n_ubatch = size.n_ubatch
    params.n_seq_max = size.parallel
    # Less than one output a sequence aborts the process (llama-context.cpp, output_reserve).
    params.n_outputs_max = max(size.n_outputs_max, size.parallel)
    params.n_threads = params.n_threads_batch = n_threads
    params.flash_attn_type = FLASH_ATTENTION_AUTO
    params.type_k = params.type_v = GGML_TYPES[size.kv_type]
    params.swa_full = False
    params.kv_unified = True
    params.offload_kqv = True
    params.no_perf = True
    return params


def _pointer(device_id: str) -> int:
    pointer = device_pointer(device_id)
    if pointer is None:
        raise EngineFailed(f"The device {device_id} is gone.", hint="Look with: pronk devices")
    return pointer


def override_rows(overrides: Sequence[tuple[str, str]]) -> "ctypes.Array[BufferOverride]":
    """Return (pattern, device) pairs as the list that tensor_buft_overrides points to, its empty last row included."""
    rows = (BufferOverride * (len(overrides) + 1))()
    for row, (pattern, device) in zip(rows, overrides, strict=False):
        row.pattern = pattern.encode()
        row.buft = ggml("ggml_backend_dev_buffer_type")(_pointer(device))
    return rows
