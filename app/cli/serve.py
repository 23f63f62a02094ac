"""pronk serve: a model behind an OpenAI-compatible HTTP API."""

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from app.actions.context import Pronk
from app.cli.engine_options import tell_lenders
from app.cli.numbers import port
from app.cli.output import Output, add_events
from app.cli.plan_options import add_plan_options, plan_request

PARALLEL = 4
OPEN_TO_THE_NETWORK = """Warning: other computers can reach this server on {host}.
Whoever has the key can use the model; what is sent is not encrypted."""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command and its options."""
    parser = commands.add_parser("serve", help="serve a model over HTTP, as OpenAI's API")
    parser.add_argument("model", metavar="MODEL", help="a .gguf file or a library name")
    parser.add_argument(
        "--host", metavar="H", default="127.0.0.1", help="address to listen on (default: this computer)"
    )
    parser.add_argument("--port", metavar="N", type=port, default=0, help="port to listen on (default: a free one)")
    key = parser.add_mutually_exclusive_group()
    key.add_argument("--api-key", metavar="K", default="", help="the key clients must send (also: PRONK_API_KEY)")
    key.add_argument("--api-key-file", metavar="F", type=Path, help="read the key from a file")
    add_plan_options(parser, parallel=PARALLEL)
    add_events(parser)


def run(arguments: argparse.Namespace, pronk: Pronk) -> int:
    """Serve until SIGTERM, Ctrl+C, or the parent's end; all three end it cleanly with 0."""
    from app.actions.serve import LoadOptions, ServeOptions, chosen_key, serve
    from app.engine.front import Stop
    from app.engine.security import is_loopback
    from app.jobs.child import watch_stdin

    stop = Stop()
    if arguments.watch_stdin:
        watch_stdin(stop.ask)
    output = Output(arguments)
    options = ServeOptions(arguments.host, arguments.port, chosen_key(arguments.api_key, arguments.api_key_file))

    tell_lenders(arguments)
    if not is_loopback(options.host):
        print(OPEN_TO_THE_NETWORK.format(host=options.host), file=sys.stderr, flush=True)

    def on_event(event: Mapping[str, Any]) -> None:
        output.event(event)
        if not output.events:
            _tell(event)

    load = LoadOptions(plan_request(arguments), tuple(arguments.rpc), arguments.plan)
    serve(pronk, arguments.model, load, options, on_event, stop)
    output.done({})
    return 0


def _tell(event: Mapping[str, Any]) -> None:
    """Print an event for people."""
    kind = event["event"]
    if kind == "ready":
        print(f"URL      {event['url']}\nAPI key  {event['api_key']}", flush=True)
    elif kind == "loaded":
        note = event.get("note")
        print(f"Loaded in {event['load_s']:.1f} s. Ctrl+C ends it." + (f"\n{note}" if note else ""), flush=True)
    elif kind == "warning":
        print(event["message"], file=sys.stderr, flush=True)
    elif kind == "engine_died":
        print(f"{event['reason']} Starting it again.", file=sys.stderr, flush=True)
    elif kind == "replanned":
        print(event["reason"], file=sys.stderr, flush=True)
    elif kind == "restarted":
        print("The engine runs again.", file=sys.stderr, flush=True)
