"""pronk bench: how fast a model runs on this computer."""

import argparse
import threading
from typing import Any

from app.actions.context import Pronk
from app.cli.engine_options import plan_words
from app.cli.output import Output, add_events, add_json
from app.cli.plan_options import add_plan_options


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command and its options."""
    parser = commands.add_parser("bench", help="measure how fast a model runs here")
    parser.add_argument("model", metavar="MODEL", help="a .gguf file or a library name")
    add_plan_options(parser)
    add_json(parser)
    add_events(parser)


def run(arguments: argparse.Namespace, pronk: Pronk) -> int:
    """Measure and print the figures."""
    from app.actions.bench import bench
    from app.jobs.child import watch_stdin

    cancel = threading.Event()
    if arguments.watch_stdin:
        watch_stdin(cancel.set)
    output = Output(arguments)
    with plan_words(arguments) as words:
        result = bench(pronk, arguments.model, words, output.event, cancel)
    output.done(result, _text(result))
    return 0


def _text(result: dict[str, Any]) -> str:
    from app.core.units import format_size

    return "\n".join(
        [
            f"Loading       {result['load_s']:.2f} s",
            f"First token   {result['first_token_s']:.2f} s",
            f"Reading       {result['prefill_tokens_per_s']:.1f} tokens/s",
            f"Writing       {result['decode_tokens_per_s']:.1f} tokens/s",
            f"Memory        {format_size(result['memory']['resident_bytes'])}",
        ]
    )
