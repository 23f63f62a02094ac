"""GPUs that are not here: devices with CUDA's rules for memory, good for dry runs and nothing else.

They answer "how would this model lie on a 12 GB card" with llama.cpp's own layout. They compute nothing: a real load on
them would crash. Source of the layouts: ggml/src/ggml-backend-impl.h and ggml.h; of the rules: ggml-cuda.cu.
"""

import ctypes
import mmap
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.core.errors import EngineFailed
from app.llama.bindings import engine_version, load_ggml
from app.llama.devices import device_pointer
from app.llama.ggml import SIZE_POINTER, DeviceProps, ggml

# The structs below are private to ggml and change between versions.
KNOWN_VERSION = "0.3.36"
API_VERSION = 2
GPU_TYPE = 1
ALIGNMENT, HOST_ALIGNMENT, ROW = 128, 32, 512
LEAST_OFFLOADED_BATCH = 32
F16_TYPE = 1
PLAIN_TYPES = frozenset({0, 1, 24, 25, 26, 27, 28, 30})  # F32, F16, I8…I64, F64, BF16: not quantized (ggml.h)
_TYPE = ctypes.c_int
POINTER = ctypes.c_void_p


class _Tensor(ctypes.Structure):
    """The head of ggml_tensor (ggml.h)."""

    _fields_ = (
        ("type", ctypes.c_int),
        ("buffer", POINTER),
        ("ne", ctypes.c_int64 * 4),
        ("nb", ctypes.c_size_t * 4),
        ("op", ctypes.c_int),
        ("op_params", ctypes.c_int32 * 16),
        ("flags", ctypes.c_int32),
        ("src", POINTER * 10),
    )


def _table(*names: str) -> Any:
    """Return the type of a struct of pointers to functions."""
    return type("_Table", (ctypes.Structure,), {"_fields_": [(name, POINTER) for name in names]})


_BufferTypeI = _table("get_name", "alloc_buffer", "get_alignment", "get_max_size", "get_alloc_size", "is_host")
_BufferI = _table(
    "free_buffer", "get_base", "init_tensor", "memset_tensor", "set_tensor", "get_tensor",
    "set_tensor_2d", "get_tensor_2d", "cpy_tensor", "clear", "reset",
)  # fmt: skip
_BackendI = _table(
    "get_name", "free", "set_tensor_async", "get_tensor_async", "set_tensor_2d_async", "get_tensor_2d_async",
    "cpy_tensor_async", "synchronize", "graph_plan_create", "graph_plan_free", "graph_plan_update",
    "graph_plan_compute", "graph_compute", "event_record", "event_wait", "graph_optimize",
)  # fmt: skip
_DeviceI = _table(
    "get_name", "get_description", "get_memory", "get_type", "get_props", "init_backend", "get_buffer_type",
    "get_host_buffer_type", "buffer_from_host_ptr", "supports_op", "supports_buft", "offload_op",
    "event_new", "event_free", "event_synchronize",
)  # fmt: skip
_RegistryI = _table("get_name", "get_device_count", "get_device", "get_proc_address")


class _BufferType(ctypes.Structure):
    _fields_ = (("iface", _BufferTypeI), ("device", POINTER), ("context", POINTER))


class _Backend(ctypes.Structure):
    _fields_ = (("guid", POINTER), ("iface", _BackendI), ("device", POINTER), ("context", POINTER))


class _Device(ctypes.Structure):
    _fields_ = (("iface", _DeviceI), ("registry", POINTER), ("context", POINTER))


class _Registry(ctypes.Structure):
    _fields_ = (("api_version", ctypes.c_int), ("iface", _RegistryI), ("context", POINTER))


@dataclass
class _Keeper:
    """Keeps alive what C holds pointers to, for the life of the process."""

    things: list[Any] = field(default_factory=list)

    def function(self, python: Callable[..., Any], result: Any, *arguments: Any) -> int:
        """Return the address of a C function that calls `python`."""
        callback = ctypes.CFUNCTYPE(result, *arguments)(python)
        self.things.append(callback)
        return ctypes.cast(callback, POINTER).value or 0

    def text(self, value: str) -> int:
        """Return the address of a C string."""
        buffer = ctypes.create_string_buffer(value.encode())
        self.things.append(buffer)
        return ctypes.addressof(buffer)

    def name_function(self, value: str) -> int:
        """Return the address of a function that answers with a name."""
        address = self.text(value)
        return self.function(lambda _: address, POINTER, POINTER)

    def keep(self, thing: Any) -> int:
        """Keep a struct; returns its address."""
        self.things.append(thing)
        return ctypes.addressof(thing)


class SimulatedGpus:
    """Registers GPUs with ggml in this process; keep it alive as long as llama.cpp runs."""

    def __init__(self, gpus: Sequence[tuple[str, str, int]]) -> None:
        """Register each (id, name, bytes); raises EngineFailed for a version whose structs are not known."""
        if engine_version() != KNOWN_VERSION:
            raise EngineFailed(f"GPUs can be simulated with llama-cpp-python {KNOWN_VERSION} only.")
        self._keeper = _Keeper()
        self._base = _base_library()
        self._operations = _operation_numbers(self._base)
        self._attention = self._operations["FLASH_ATTN_EXT"]
        self._nbytes = self._base.ggml_nbytes
        self._scratch: list[mmap.mmap] = []
        registry = _Registry(api_version=API_VERSION)
        address = self._keeper.keep(registry)
        devices = [self._device(address, index, *gpu) for index, gpu in enumerate(gpus)]
        keeper = self._keeper
        registry.iface.get_name = keeper.name_function("SIMULATED")
        registry.iface.get_device_count = keeper.function(lambda _: len(devices), ctypes.c_size_t, POINTER)
        registry.iface.get_device = keeper.function(lambda _, i: devices[i], POINTER, POINTER, ctypes.c_size_t)
        ggml("ggml_backend_register")(address)

    def _device(self, registry: int, index: int, device_id: str, name: str, size_bytes: int) -> int:
        keeper, device = self._keeper, _Device(registry=registry)
        address = keeper.keep(device)
        buffer_type = self._buffer_type(address, device_id, name)
        own, host_type = _BufferType.from_address(buffer_type).iface, self._host_buffer_type(address, device_id)
        backend = self._backend(address, index, device_id)
        title, description = device_id.encode(), name.encode()

        def memory(_: int, free: Any, total: Any) -> None:
            free[0] = total[0] = size_bytes

        def properties(_: int, answer: Any) -> None:
            props = answer[0]
            props.name, props.description, props.type = title, description, GPU_TYPE
            props.memory_free = props.memory_total = size_bytes
            # async, host_buffer, buffer_from_host_ptr, events (ggml_backend_dev_caps)
            props.capabilities[0:4] = [True, True, False, True]

        calls = device.iface
        calls.get_name, calls.get_description = own.get_name, own.alloc_buffer
        calls.get_memory = keeper.function(memory, None, POINTER, SIZE_POINTER, SIZE_POINTER)
        calls.get_type = keeper.function(lambda _: GPU_TYPE, ctypes.c_int, POINTER)
        calls.get_props = keeper.function(properties, None, POINTER, ctypes.POINTER(DeviceProps))
        calls.init_backend = keeper.function(lambda *_: backend, POINTER, POINTER, POINTER)
        calls.get_buffer_type = keeper.function(lambda _: buffer_type, POINTER, POINTER)
        calls.get_host_buffer_type = keeper.function(lambda _: host_type, POINTER, POINTER)
        # Asked tens of thousands of times a dry run, so a C function answers, the processor's own "is it host memory?",
        # which says yes to everything. What CUDA cannot do (rows of K-quants) lies on the host anyway: embeddings.
        calls.supports_op = self._always_yes()
        # So is this: "do these two begin with the same 16 bytes?", and a device does with its own buffer type alone.
        calls.supports_buft = ctypes.cast(self._base.ggml_guid_matches, POINTER).value
        calls.offload_op = keeper.function(self._offloads, ctypes.c_bool, POINTER, POINTER)
        return address

    def _backend(self, device: int, index: int, name: str) -> int:
        keeper = self._keeper
        guid = (ctypes.c_ubyte * 16)(*([0xB0 + index] * 16))
        backend = _Backend(guid=keeper.keep(guid), device=device)
        backend.iface.get_name = keeper.name_function(name)
        backend.iface.free = backend.iface.synchronize = keeper.function(lambda _: None, None, POINTER)
        return keeper.keep(backend)

    def _buffer_type(self, device: int, device_id: str, name: str) -> int:
        """Return the device's own memory: buffers that nobody may touch.

        Its first two functions are the device's first two as well (see supports_buft): the second one describes a
        device and makes a buffer of a buffer type.
        """
        keeper, calls = self._keeper, _BufferI()
        description = keeper.text(name)
        calls.free_buffer = keeper.function(lambda _: None, None, POINTER)
        calls.get_base = keeper.function(lambda _: 1 << 24, POINTER, POINTER)
        calls.clear = keeper.function(lambda *_: None, None, POINTER, ctypes.c_uint8)
        make = self._base.ggml_backend_buffer_init
        make.restype, make.argtypes = POINTER, [POINTER, _BufferI, POINTER, ctypes.c_size_t]
        buffer_type = _BufferType(device=device)
        rules = buffer_type.iface
        rules.get_name = keeper.name_function(device_id)
        rules.alloc_buffer = keeper.function(
            lambda asked, size: description if asked == device else make(asked, calls, None, size),
            POINTER,
            POINTER,
            ctypes.c_size_t,
        )
        rules.get_alignment = keeper.function(lambda _: ALIGNMENT, ctypes.c_size_t, POINTER)
        rules.get_alloc_size = keeper.function(self._stored_bytes, ctypes.c_size_t, POINTER, POINTER)
        return keeper.keep(buffer_type)

    def _host_buffer_type(self, device: int, name: str) -> int:
        """Return pinned main memory, which follows the processor's rules."""
        keeper = self._keeper
        wrap = self._base.ggml_backend_cpu_buffer_from_ptr
        wrap.restype, wrap.argtypes = POINTER, [POINTER, ctypes.c_size_t]
        buffer_type = _BufferType(device=device)
        rules = buffer_type.iface
        rules.get_name = keeper.name_function(f"{name}_Host")
        rules.alloc_buffer = keeper.function(
            lambda _, size: wrap(self._host_memory(size), size), POINTER, POINTER, ctypes.c_size_t
        )
        rules.get_alignment = keeper.function(lambda _: HOST_ALIGNMENT, ctypes.c_size_t, POINTER)
        rules.is_host = self._always_yes()
        return keeper.keep(buffer_type)

    def _host_memory(self, size: int) -> int:
        """Return memory for a host buffer; all share one piece, for nothing is ever computed in it."""
        if not self._scratch or len(self._scratch[-1]) < size:
            self._scratch.append(mmap.mmap(-1, max(size, mmap.PAGESIZE)))
        return ctypes.addressof(ctypes.c_char.from_buffer(self._scratch[-1]))

    def _stored_bytes(self, _: int, address: int) -> int:
        """Return what CUDA allocates for a tensor (ggml_backend_cuda_buffer_type_get_alloc_size)."""
        size: int = self._nbytes(address)
        kind, operation = _TYPE.from_address(address).value, _TYPE.from_address(address + _Tensor.op.offset).value
        if operation != self._attention and kind in PLAIN_TYPES:
            return size
        base, tensor = self._base, _Tensor.from_address(address)
        if operation == self._attention:
            # K and V of another type are unpacked to f16 beside the result.
            for source in (_Tensor.from_address(tensor.src[1]), _Tensor.from_address(tensor.src[2])):
                if source.type != F16_TYPE:
                    size = (
                        -(-size // ALIGNMENT) * ALIGNMENT
                        + 2 * source.ne[0] * source.ne[1] * source.ne[2] * source.ne[3]
                    )
        if base.ggml_is_quantized(tensor.type) and tensor.ne[0] % ROW:
            size += base.ggml_row_size(tensor.type, ROW - tensor.ne[0] % ROW)
        return size

    def _always_yes(self) -> int:
        buffer_type = ggml("ggml_backend_dev_buffer_type")(device_pointer("CPU"))
        address: int = _BufferType.from_address(buffer_type).iface.is_host
        return address

    def _offloads(self, _: int, address: int) -> bool:
        """Tell whether CUDA takes an operation whose weights lie in main memory: when the batch is large."""
        tensor = _Tensor.from_address(address)
        if tensor.op == self._operations["GET_ROWS"]:
            return False
        if tensor.op == self._operations["MUL_MAT"]:
            return bool(tensor.ne[1] >= LEAST_OFFLOADED_BATCH)
        if tensor.op in (self._operations["MUL_MAT_ID"], self._operations["ROPE"]):
            return bool(tensor.ne[2] >= LEAST_OFFLOADED_BATCH)
        return bool(tensor.ne[1] * tensor.ne[2] * tensor.ne[3] >= LEAST_OFFLOADED_BATCH)


def _base_library() -> Any:
    """Return ggml-base with the functions declared that the rules call."""
    base = load_ggml("ggml-base")
    base.ggml_op_name.restype, base.ggml_op_name.argtypes = ctypes.c_char_p, [ctypes.c_int]
    base.ggml_nbytes.restype, base.ggml_nbytes.argtypes = ctypes.c_size_t, [POINTER]
    base.ggml_row_size.restype, base.ggml_row_size.argtypes = ctypes.c_size_t, [ctypes.c_int, ctypes.c_int64]
    base.ggml_is_quantized.restype, base.ggml_is_quantized.argtypes = ctypes.c_bool, [ctypes.c_int]
    return base


def _operation_numbers(base: Any) -> dict[str, int]:
    """Return the numbers of the operations that the rules name."""
    names = {"GET_ROWS", "MUL_MAT", "MUL_MAT_ID", "ROPE", "FLASH_ATTN_EXT"}
    found: dict[str, int] = {}
    for number in range(80):
        name = base.ggml_op_name(number).decode()
        if name in names:
            found[name] = number
        if len(found) == len(names):
            return found
    raise EngineFailed(f"This engine lacks the operations {sorted(names - found.keys())}.")
