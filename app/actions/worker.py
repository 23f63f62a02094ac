"""Lending this computer's memory to another one."""

import errno
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from app.actions.context import Pronk
from app.core.errors import AppError, BadRequest, Busy, Cancelled, EngineFailed
from app.devices.system import read_cpu
from app.jobs.commands import module_command
from app.jobs.job import Job

OnEvent = Callable[[Mapping[str, Any]], None]

DEATHS_MAX = 3
DEATHS_WITHIN_S = 300.0
LOOK_EVERY_S = 0.1
_TAKEN = (errno.EADDRINUSE, errno.EACCES, 10013, 10048)  # the last two: Windows' own numbers


@dataclass(frozen=True)
class LendOptions:
    """Where to listen (port 0 takes any free one), how many threads compute, and the most that is lent."""

    host: str = "127.0.0.1"
    port: int = 50052
    n_threads: int | None = None
    memory_bytes: int | None = None


def lend_memory(pronk: Pronk, options: LendOptions, on_event: OnEvent, stop: threading.Event) -> None:
    """Lend until `stop` is set; raises what keeps it from lending.

    Events: ready {endpoint, endpoints, devices}, worker_died {reason}, restarted (as ready). A server that dies is
    started again, but not three times within five minutes.
    """
    address = _address_of(options.host)
    port = _require_port(address, options.port)
    lender = _Lender(pronk, f"{address}:{port}", options, on_event)
    deaths: deque[float] = deque(maxlen=DEATHS_MAX)
    while not stop.is_set():
        error = lender.run(stop)
        if error is None:
            return
        if not lender.was_ready:
            raise error
        deaths.append(time.monotonic())
        on_event({"event": "worker_died", "reason": error.message})
        if len(deaths) == DEATHS_MAX and deaths[-1] - deaths[0] < DEATHS_WITHIN_S:
            raise EngineFailed(
                f"The lending process died {DEATHS_MAX} times within five minutes. The last time: {error.message}",
                hint=f"What it said last stands in {pronk.log('worker')}.",
                detail=error.detail,
            )


class _Lender:
    """Runs the child that lends, one life at a time."""

    def __init__(self, pronk: Pronk, endpoint: str, options: LendOptions, on_event: OnEvent) -> None:
        threads = options.n_threads or read_cpu().physical_cores
        words = [endpoint, "--threads", str(threads)]
        words += [] if options.memory_bytes is None else ["--memory", str(options.memory_bytes)]
        self._command = module_command("app.devices.lending", *words)
        self._log = pronk.log("worker")
        self._endpoint = endpoint
        self._on_event = on_event
        self.was_ready = False

    def run(self, stop: threading.Event) -> AppError | None:
        """Return how the child ended of itself, None when it was stopped."""
        job = Job(self._command, self._hear, self._log, secrets=False)
        cancelled = False
        while True:
            try:
                job.wait(LOOK_EVERY_S)
            except TimeoutError:
                if stop.is_set() and not cancelled:
                    job.cancel()
                    cancelled = True
            except Cancelled:
                return None
            except AppError as error:
                return None if cancelled else error

    def _hear(self, event: Mapping[str, Any]) -> None:
        if event["event"] != "ready":
            return
        endpoints = reachable_at(self._endpoint)
        told = {"endpoint": self._endpoint, "endpoints": endpoints, "devices": event["devices"]}
        self._on_event({"event": "restarted" if self.was_ready else "ready", **told})
        self.was_ready = True


def reachable_at(endpoint: str) -> list[str]:
    """Return the "ADDRESS:PORT" under which other computers reach an endpoint: all of this computer's for 0.0.0.0."""
    address, _, port = endpoint.rpartition(":")
    if address != "0.0.0.0":
        return [endpoint]
    import psutil

    found = (one for addresses in psutil.net_if_addrs().values() for one in addresses if one.family == socket.AF_INET)
    return sorted(f"{one.address}:{port}" for one in found if not one.address.startswith("127."))


def _address_of(host: str) -> str:
    """Return the IPv4 address of a name; llama.cpp's RPC server takes nothing else (transport.cpp, create_server)."""
    try:
        return socket.gethostbyname(host)
    except (OSError, UnicodeError) as error:
        raise BadRequest(
            f"Cannot lend on {host} ({error}).",
            hint="Give --host an IPv4 address of this computer, or 0.0.0.0 for all.",
        ) from error


def _require_port(address: str, port: int) -> int:
    """Return the port, a free one for 0; raises Busy when another program has it (the server would only end)."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        if sys.platform != "win32":  # there it would share the port with whoever has it
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((address, port))
            listener.listen(1)
        except OSError as error:
            if error.errno in _TAKEN:
                raise Busy(
                    f"Port {port} on {address} is taken or not allowed ({error.strerror}).",
                    hint="Choose another with --port.",
                ) from error
            raise BadRequest(
                f"Cannot lend on {address}:{port} ({error}).", hint="Give an address of this computer to --host."
            ) from error
        taken: int = listener.getsockname()[1]
        return taken
