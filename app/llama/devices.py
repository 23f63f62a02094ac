"""The devices that this build of the engine can compute on."""

import ctypes
from dataclasses import dataclass
from typing import Any

from app.llama.bindings import engine_version, load_llama
from app.llama.ggml import DeviceProps, ggml, text

CPU, GPU, INTEGRATED, ACCELERATOR = range(4)  # ggml-backend.h, ggml_backend_dev_type
# ggml's names for what everybody else calls differently.
BACKEND_NAMES = {"mtl": "metal", "hip": "rocm"}


@dataclass(frozen=True)
class EngineDevice:
    """One ggml device; `id` is its name there (CUDA0), `pci_id` the card's address, "" when unknown."""

    id: str
    name: str
    backend: str
    type: int
    total_bytes: int
    free_bytes: int
    pci_id: str


@dataclass(frozen=True)
class EngineInfo:
    """This build: version, backends in lower case ("cpu", "cuda"), CPU features in llama.cpp's words."""

    version: str
    backends: tuple[str, ...]
    system: str


def start_engine_library() -> Any:
    """Load llama.cpp and its backends (this may start GPU drivers); returns the bindings."""
    llama = load_llama()
    llama.llama_backend_init()
    return llama


def engine_info() -> EngineInfo:
    """Return what this build is; the library must be started."""
    names = [text(ggml("ggml_backend_reg_name")(ggml("ggml_backend_reg_get")(i))) for i in range(_count("reg"))]
    # A lending computer registers as a backend of its own, "RPC[host:port]".
    backends = dict.fromkeys(backend_name(name.partition("[")[0]) for name in names)
    return EngineInfo(engine_version(), tuple(backends), text(load_llama().llama_print_system_info()))


def engine_devices() -> tuple[EngineDevice, ...]:
    """Return every device of every backend, CPUs too, in ggml's order; the library must be started."""
    return tuple(_device(ggml("ggml_backend_dev_get")(index)) for index in range(_count("dev")))


def backend_name(name: str) -> str:
    """Return a backend's usual name in lower case."""
    lower = name.lower()
    return BACKEND_NAMES.get(lower, lower)


def device_pointer(device_id: str) -> int | None:
    """Return ggml's pointer to a device by its id, None when there is none."""
    pointer: int | None = ggml("ggml_backend_dev_by_name")(device_id.encode())
    return pointer


def _count(kind: str) -> int:
    return int(ggml(f"ggml_backend_{kind}_count")())


def _device(pointer: int) -> EngineDevice:
    props = DeviceProps()
    ggml("ggml_backend_dev_get_props")(pointer, ctypes.byref(props))
    registry = ggml("ggml_backend_dev_backend_reg")(pointer)
    return EngineDevice(
        id=text(props.name),
        name=text(props.description).strip(),
        backend=backend_name(text(ggml("ggml_backend_reg_name")(registry)).partition("[")[0]),
        type=int(props.type),
        total_bytes=int(props.memory_total),
        free_bytes=int(props.memory_free),
        pci_id=text(props.device_id),
    )
