"""The child that lends this computer's memory.

python -m app.devices.lending ADDRESS:PORT --threads N [--memory BYTES]: says {"event":"ready","devices":[…]} once it
answers, and serves until its stdin ends.
"""

import argparse
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import psutil

from app.core.errors import AppError, EngineFailed
from app.devices.amdgpu import amd_cards
from app.devices.merge import merge
from app.devices.system import read_memory
from app.devices.values import Card, Gpu
from app.jobs.child import Emitter, claim_stdout, exit_now, watch_stdin

if TYPE_CHECKING:
    from app.llama.devices import EngineDevice
    from app.llama.rpc_server import FreeAndTotal

CPU, ACCELERATOR = 0, 3  # ggml-backend.h, ggml_backend_dev_type
# What the lender keeps for itself, as much as a plan leaves on its own computer.
RAM_KEPT_BYTES, RAM_KEPT_SHARE = 2 * 2**30, 0.1
# Libraries, threads' stacks and scratch memory beside what is lent.
OWN_BYTES = 512 * 2**20
START_LIMIT_S = 20.0
LOOK_EVERY_S = 0.02


def lent_devices(found: "Sequence[EngineDevice]", cards: Sequence[Card]) -> tuple[Gpu, ...]:
    """Return which of ggml's devices are lent: the GPUs that a plan would use here, else the processor."""
    gpus = merge([device for device in found if device.type not in (CPU, ACCELERATOR)], cards).gpus
    known = [gpu for gpu in gpus if gpu.total_bytes]
    used = [gpu for gpu in known if not gpu.integrated] or known
    if used:
        return tuple(used)
    free, total = main_memory()
    return tuple(Gpu(one.id, one.name, one.backend, total, free) for one in found if one.type == CPU)


def main_memory() -> tuple[int, int]:
    """Return (free, total) bytes of main memory, free without what the lender keeps for itself."""
    memory = read_memory()
    kept = max(RAM_KEPT_BYTES, int(memory.total_bytes * RAM_KEPT_SHARE))
    return max(0, memory.available_bytes - kept), memory.total_bytes


def shares(limit_bytes: int | None, free_bytes: Sequence[int]) -> tuple[int | None, ...]:
    """Return how much each device lends of `limit_bytes`: the first as much as is free, the next what remains."""
    if limit_bytes is None:
        return (None,) * len(free_bytes)
    dealt: list[int | None] = []
    for free in free_bytes:
        share = min(limit_bytes, free)
        limit_bytes -= share
        dealt.append(share)
    return tuple(dealt)


def limited(ask: "FreeAndTotal", share_bytes: int | None, start_free_bytes: int) -> "FreeAndTotal":
    """Return `ask` with the total cut to the share, and free to what is left of it since the start."""
    if share_bytes is None:
        return ask

    def answer() -> tuple[int, int]:
        free, total = ask()
        taken = max(0, start_free_bytes - free)
        return max(0, min(free, share_bytes - taken)), min(total, share_bytes)

    return answer


def keep_within(limit_bytes: int) -> None:
    """Let the system refuse this process more than `limit_bytes` beside its own needs, where it can."""
    if sys.platform == "win32":
        return
    import resource

    most = psutil.Process().memory_info().vms + limit_bytes + OWN_BYTES
    with suppress(ValueError, OSError):  # a lower limit is set already
        resource.setrlimit(resource.RLIMIT_AS, (most, most))


def lend(endpoint: str, n_threads: int, limit_bytes: int | None, emitter: Emitter) -> None:
    """Serve until the process ends; raises EngineFailed when that is not possible."""
    from app.llama.devices import engine_devices, start_engine_library
    from app.llama.rpc_server import original_memory, serve_devices, tell_memory

    start_engine_library()
    gpus = lent_devices(engine_devices(), amd_cards())
    dealt = shares(limit_bytes, [gpu.free_bytes for gpu in gpus])
    asks = {
        gpu.id: limited(main_memory if gpu.backend == "cpu" else original_memory(gpu.id), share, gpu.free_bytes)
        for gpu, share in zip(gpus, dealt, strict=True)
    }
    kept = tell_memory(asks)
    if limit_bytes is not None and gpus[0].backend == "cpu":
        keep_within(limit_bytes)
    devices = [_told(gpu, asks[gpu.id]) for gpu in gpus]
    threading.Thread(target=_say_ready, args=(endpoint, devices, emitter), name="ready", daemon=True).start()
    serve_devices(endpoint, n_threads, [gpu.id for gpu in gpus])
    del kept
    raise EngineFailed(f"llama.cpp's RPC server cannot listen on {endpoint}.", hint="Choose another --host or --port.")


def _told(gpu: Gpu, ask: "FreeAndTotal") -> dict[str, Any]:
    free, total = ask()
    return {"id": gpu.id, "name": gpu.name, "backend": gpu.backend, "total_bytes": total, "free_bytes": free}


def _say_ready(endpoint: str, devices: list[dict[str, Any]], emitter: Emitter) -> None:
    """Tell the parent once the server answers; it has no sign of its own."""
    from app.llama.rpc import greet

    address, _, port = endpoint.rpartition(":")
    own = f"127.0.0.1:{port}" if address == "0.0.0.0" else endpoint
    pause, end_s = threading.Event(), time.monotonic() + START_LIMIT_S
    while time.monotonic() < end_s:
        try:
            greet(own)
        except AppError:
            pause.wait(LOOK_EVERY_S)
        else:
            emitter.emit({"event": "ready", "devices": devices})
            return
    emitter.failed(EngineFailed(f"llama.cpp's RPC server does not answer at {own}."))
    exit_now()


def main(argv: Sequence[str]) -> int:
    """Lend until the parent is gone."""
    parser = argparse.ArgumentParser(prog="app.devices.lending")
    parser.add_argument("endpoint")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--memory", type=int)
    arguments = parser.parse_args(argv)
    emitter = claim_stdout()
    watch_stdin(exit_now)
    try:
        lend(arguments.endpoint, arguments.threads, arguments.memory, emitter)
    except AppError as error:
        emitter.failed(error)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
