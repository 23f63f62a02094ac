"""pronk download: fetch a model from a hub."""

import argparse

from app.actions.context import Pronk
from app.cli.output import add_events, add_json
from app.core.errors import NotYet


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command and its options."""
    parser = commands.add_parser("download", help="download a model from a hub (not in this version)")
    parser.add_argument("source", metavar="hf:ORG/REPO[/FILE]", help="what to download")
    parser.add_argument("--type", metavar="T", help="the quantization type to take, say Q4_K_M")
    add_json(parser)
    add_events(parser)


def run(arguments: argparse.Namespace, pronk: Pronk) -> int:
    """Say that this version can't download, and what does the same."""
    raise NotYet(
        f"This version of Pronk can't download {arguments.source} yet.",
        hint="Download the .gguf file with your browser, then: pronk models add FILE.gguf",
    )
