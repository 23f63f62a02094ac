"""pronk bench: how fast a model runs on this computer, or how fast the computer is."""

import argparse
import threading
from typing import Any

from app.actions.context import Pronk
from app.cli.engine_options import plan_words
from app.cli.output import Output, add_events, add_json
from app.cli.plan_options import add_plan_options


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command and its options."""
    parser = commands.add_parser("bench", help="measure how fast a model, or this computer, runs")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("model", metavar="MODEL", nargs="?", help="a .gguf file or a library name")
    what.add_argument(
        "--computer",
        action="store_true",
        help="measure the computer instead: each device with each type, and which threads are fastest",
    )
    add_plan_options(parser)
    add_json(parser)
    add_events(parser)


def run(arguments: argparse.Namespace, pronk: Pronk) -> int:
    """Measure and print the figures."""
    from app.jobs.child import watch_stdin

    cancel = threading.Event()
    if arguments.watch_stdin:
        watch_stdin(cancel.set)
    output = Output(arguments)
    if arguments.computer:
        from app.actions.measuring import measure_computer

        result = measure_computer(pronk, output.event, cancel, arguments.rpc)
        output.done(result, _computer_text(result))
        return 0
    from app.actions.bench import bench

    with plan_words(arguments) as words:
        result = bench(pronk, arguments.model, words, output.event, cancel)
    output.done(result, _model_text(result))
    return 0


def _model_text(result: dict[str, Any]) -> str:
    from app.core.units import format_size

    expected, memory = result["expected"], result["memory"]
    read, write = result["prefill_tokens_per_s"], result["decode_tokens_per_s"]
    resident, planned = format_size(memory["resident_bytes"]), format_size(memory["planned_bytes"])
    return "\n".join(
        [
            f"Loading       {result['load_s']:.2f} s",
            f"First token   {result['first_token_s']:.2f} s, after a prompt of {result['prompt_tokens']} tokens",
            f"Reading       {read:.1f} tokens/s, foretold {expected['prefill_tokens_per_s']:.1f}",
            f"Writing       {write:.1f} tokens/s, foretold {expected['decode_tokens_per_s']:.1f}",
            f"Memory        {resident}, planned {planned}",
        ]
    )


def _computer_text(result: dict[str, Any]) -> str:
    lines = [
        f"Threads       {result['n_threads']}",
        f"Pieces        {result['n_ubatch']} tokens of a prompt at a time",
        f"Gain          {result['gain']:.2f} times the usual settings' speed",
    ]
    for rate in result["rates"]:
        lines.append(
            f"{rate['device']:<13} {rate['type']:<7} {rate['decode_bytes_per_s'] / 1e9:6.1f} GB/s writing, "
            f"{rate['prefill_flops'] / 1e9:7.0f} GFLOPS reading"
        )
    if result["others"] > 0.1:
        lines.append("Other programs were busy meanwhile: measure again when the computer is idle.")
    return "\n".join(lines)
