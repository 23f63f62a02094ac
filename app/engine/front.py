"""The front of `pronk serve`: the HTTP door on a port of its own choice. It never loads llama.cpp.

Port and key stay for the front's whole life, also when the worker behind it dies and is started again.
"""

import asyncio
import contextlib
import errno
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn

from app.core.errors import AppError, BadRequest, Busy
from app.engine.api import Api
from app.engine.host import Host, Served
from app.engine.prompts import Prompts
from app.engine.security import Door, allowed_hosts, is_loopback

OnEvent = Callable[[Mapping[str, Any]], None]

GRACE_S = 1
BEAT_S = 2.0


@dataclass(frozen=True)
class FrontOptions:
    """Where to listen, with which key, and where children write what they have to say. Port 0: any free one."""

    api_key: str
    engine_log: Path
    templates_log: Path
    host: str = "127.0.0.1"
    port: int = 0


class Stop:
    """Lets any thread end the front cleanly."""

    def __init__(self) -> None:
        self._asked = False
        self._wake: Callable[[], None] | None = None

    def ask(self) -> None:
        """End the front soon; also before it has begun."""
        self._asked = True
        if self._wake is not None:
            self._wake()

    def bind(self, wake: Callable[[], None]) -> None:
        """Name what ends the front."""
        self._wake = wake
        if self._asked:
            wake()


def run_front(served: Served, options: FrontOptions, on_event: OnEvent, stop: Stop) -> None:
    """Serve until `stop`, SIGTERM or SIGINT; raises the error that keeps the model from being served.

    Events: ready (url, api_key, engine_pid, plan) once the door is open, progress, loaded (with the bytes predicted,
    measured and taken by device), engine_died, replanned (memory ran out: reason, engine_pid, plan), restarted; and
    alive every 2 s, by which a parent knows that this event loop turns.
    """
    with _listen(options.host, options.port) as listener:
        asyncio.run(_serve(listener, served, options, on_event, stop))


async def _serve(listener: socket.socket, served: Served, options: FrontOptions, on_event: OnEvent, stop: Stop) -> None:
    host = Host(served, options.engine_log, on_event)
    prompts = Prompts(host, options.templates_log)
    port = listener.getsockname()[1]
    door = Door(options.api_key, allowed_hosts(options.host, port, _own_addresses(options.host)))
    server = _Server(_config(Api(door, host, prompts)))
    host.start()
    on_event(
        {
            "event": "ready",
            "url": f"http://{_shown_host(options.host)}:{port}/v1",
            "api_key": options.api_key,
            "engine_pid": host.engine_pid,
            "plan": served.plan,
        }
    )
    _end_on_signals(server, stop)
    failed = asyncio.ensure_future(_end_on_failure(host, server))
    warming = asyncio.ensure_future(_warm(prompts))
    ending = asyncio.ensure_future(_stop_host_first(server, host))
    beating = asyncio.ensure_future(_beat(on_event))
    try:
        await server.serve(sockets=[listener])
    finally:
        for task in (failed, warming, ending, beating):
            task.cancel()
        host.stop()
        await asyncio.to_thread(prompts.close)
    if host.ended.is_set() and host.failure is not None:
        raise host.failure


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: it would raise the signal again after its own end."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the front."""
        yield


def _config(app: Api) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http="h11",
        ws="none",
        loop="asyncio",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=GRACE_S,
    )


async def _warm(prompts: Prompts) -> None:
    with contextlib.suppress(AppError):  # the first request meets the same error and tells it
        await prompts.warm()


async def _beat(on_event: OnEvent) -> None:
    while True:
        on_event({"event": "alive"})
        await asyncio.sleep(BEAT_S)


async def _end_on_failure(host: Host, server: uvicorn.Server) -> None:
    await host.ended.wait()
    server.should_exit = True


async def _stop_host_first(server: uvicorn.Server, host: Host) -> None:
    """End open streams as soon as the end is asked for: uvicorn waits for them."""
    while not server.should_exit:
        await asyncio.sleep(0.05)
    host.stop()


def _end_on_signals(server: uvicorn.Server, stop: Stop) -> None:
    loop = asyncio.get_running_loop()

    def end() -> None:
        server.should_exit = True

    def end_from_thread() -> None:
        loop.call_soon_threadsafe(end)

    stop.bind(end_from_thread)
    for number in (signal.SIGTERM, signal.SIGINT):
        if sys.platform == "win32":
            signal.signal(number, lambda *_: end())
        else:
            loop.add_signal_handler(number, end)


def _listen(host: str, port: int) -> socket.socket:
    """Return a listening socket; raises Busy when another program has the port, BadRequest for an address not ours."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        if sys.platform != "win32":  # there it would share the port with whoever has it
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(128)
    except (OSError, OverflowError) as error:
        listener.close()
        raise _cannot_listen(host, port, error) from error
    return listener


def _cannot_listen(host: str, port: int, error: Exception) -> AppError:
    if isinstance(error, OSError) and error.errno in (errno.EADDRINUSE, errno.EACCES, 10013, 10048):
        return Busy(
            f"Port {port} on {host} is taken or not allowed ({error.strerror}).",
            hint="Choose another with --port, or leave --port out: Pronk finds a free one.",
        )
    return BadRequest(f"Cannot listen on {host}:{port} ({error}).", hint="Give an address of this computer to --host.")


def _own_addresses(host: str) -> list[str]:
    if is_loopback(host):
        return []
    import psutil

    names = {address.address.split("%")[0] for found in psutil.net_if_addrs().values() for address in found}
    return [*sorted(name for name in names if "." in name or name.count(":") > 1), socket.gethostname()]


def _shown_host(host: str) -> str:
    if host in ("0.0.0.0", "::"):
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host
