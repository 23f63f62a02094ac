"""The options of planning as words again, for the engine that a command starts as a child."""

import argparse
import contextlib
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from app.cli.plan_options import check_lenders


@contextlib.contextmanager
def plan_words(arguments: argparse.Namespace) -> Iterator[tuple[str, ...]]:
    """Yield the words that give a child the same plan options; --plan - goes through a file that lasts as long."""
    words = [word for name in ("context", "min_context", "reserve", "gpu_layers") for word in _given(arguments, name)]
    words += ["--kv-type", arguments.kv_type, "--parallel", str(arguments.parallel)]
    tell_lenders(arguments)
    words += [word for endpoint in arguments.rpc for word in ("--rpc", endpoint)]
    words += ["--draft-tokens", str(arguments.draft_tokens)] if arguments.draft_tokens else []
    words += ["--all-outputs"] if arguments.all_outputs else []
    words += ["--force"] if arguments.force else []
    if arguments.plan != "-":
        yield (*words, *_given(arguments, "plan"))
        return
    with tempfile.TemporaryDirectory(prefix="pronk-plan-") as folder:
        file = Path(folder) / "plan.json"
        file.write_text(sys.stdin.read(), encoding="utf-8")
        yield (*words, "--plan", str(file))


def tell_lenders(arguments: argparse.Namespace) -> None:
    """Warn of each computer whose memory is used: what goes there can be read on the way."""
    from app.llama.rpc import not_secret

    check_lenders(arguments.rpc)
    for endpoint in arguments.rpc:
        print(not_secret(endpoint), file=sys.stderr, flush=True)


def _given(arguments: argparse.Namespace, name: str) -> tuple[str, ...]:
    value = getattr(arguments, name)
    return () if value is None else (f"--{name.replace('_', '-')}", str(value))
