"""pronk worker: lend this computer's memory to another one."""

import argparse
import signal
import sys
import threading
from collections.abc import Mapping
from typing import Any

from app.actions.context import Pronk
from app.cli.numbers import port, positive
from app.cli.output import Output, add_events
from app.cli.plan_options import LEAST_MEMORY_BYTES
from app.core.errors import BadRequest
from app.core.units import format_size, parse_size

NOT_SECRET = "llama.cpp's RPC protocol is neither encrypted nor authenticated."
HERE_ONLY = f"{NOT_SECRET} Only programs on this computer can connect; --host ADDRESS lends to others."
OPEN_TO_THE_NETWORK = f"""Warning: {NOT_SECRET}
Everyone who reaches {{host}} can use this computer's memory, read and change what is computed there, and perhaps take
over this process. Lend inside a network you trust only, never to the internet."""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command and its options."""
    parser = commands.add_parser("worker", help="lend this computer's memory to another one that you trust")
    parser.add_argument("--host", metavar="H", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument(
        "--port", metavar="N", type=port, default=50052, help="port to listen on (default: %(default)s)"
    )
    parser.add_argument(
        "--threads", metavar="N", type=positive, help="threads that compute (default: one for each core)"
    )
    parser.add_argument("--memory", metavar="SIZE", help="the most memory that is lent (default: what is free)")
    add_events(parser)


def run(arguments: argparse.Namespace, pronk: Pronk) -> int:
    """Lend until SIGTERM, Ctrl+C, or the parent's end; all three end it cleanly with 0."""
    from app.actions.worker import LendOptions, lend_memory
    from app.engine.security import is_loopback
    from app.jobs.child import watch_stdin

    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    if arguments.watch_stdin:
        watch_stdin(stop.set, stop.set)
    output = Output(arguments)
    options = LendOptions(arguments.host, arguments.port, arguments.threads, _lent_bytes(arguments.memory))
    warning = HERE_ONLY if is_loopback(options.host) else OPEN_TO_THE_NETWORK.format(host=options.host)
    print(warning, file=sys.stderr, flush=True)

    def on_event(event: Mapping[str, Any]) -> None:
        output.event({**event, "warning": warning} if event["event"] == "ready" else event)
        if not output.events:
            _tell(event)

    lend_memory(pronk, options, on_event, stop)
    output.done({})
    return 0


def _lent_bytes(text: str | None) -> int | None:
    if text is None:
        return None
    size_bytes = parse_size(text)
    if size_bytes < LEAST_MEMORY_BYTES:
        raise BadRequest(
            f"--memory {text}: {format_size(size_bytes)} is too little to lend.",
            hint=f"Lend at least {format_size(LEAST_MEMORY_BYTES)}, for example --memory 8GB.",
        )
    return size_bytes


def _tell(event: Mapping[str, Any]) -> None:
    """Print an event for people."""
    kind = event["event"]
    if kind == "ready":
        for device in event["devices"]:
            free, total = format_size(device["free_bytes"]), format_size(device["total_bytes"])
            print(f"Lending  {device['name']} ({device['id']}), {free} free of {total}")
        for endpoint in event["endpoints"]:
            print(f"Use it   pronk chat MODEL --rpc {endpoint}")
        print("Ctrl+C ends it.", flush=True)
    elif kind == "worker_died":
        print(f"{event['reason']} Starting it again.", file=sys.stderr, flush=True)
    elif kind == "restarted":
        print("Lending again.", file=sys.stderr, flush=True)
