"""pronk compare: how much a quantized file lost against its reference."""

import argparse
from pathlib import Path

from app.actions.context import Pronk
from app.cli.output import add_json
from app.core.errors import NotYet


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command and its options."""
    parser = commands.add_parser("compare", help="measure what quantizing lost (not in this version)")
    parser.add_argument("reference", metavar="REFERENCE", help="the model to measure against, say its BF16 file")
    parser.add_argument("candidate", metavar="CANDIDATE", help="the model to measure")
    parser.add_argument("--text", metavar="FILE", type=Path, help="text to measure on")
    add_json(parser)


def run(arguments: argparse.Namespace, pronk: Pronk) -> int:
    """Say that this version can't compare."""
    raise NotYet(
        f"This version of Pronk can't compare {arguments.candidate} with {arguments.reference} yet.",
        hint="llama.cpp's llama-perplexity --kl-divergence measures the same.",
    )
