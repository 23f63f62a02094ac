"""pronk search: find models on the hubs."""

import argparse

from app.actions.context import Pronk
from app.cli.output import add_json
from app.core.errors import NotYet


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command and its options."""
    parser = commands.add_parser("search", help="search Hugging Face and ModelScope (not in this version)")
    parser.add_argument("text", metavar="TEXT", help="words to look for")
    add_json(parser)


def run(arguments: argparse.Namespace, pronk: Pronk) -> int:
    """Say that this version can't search, and what does the same."""
    raise NotYet(
        f"This version of Pronk can't search the hubs for {arguments.text!r} yet.",
        hint="Search on huggingface.co or modelscope.cn, download a .gguf file, then: pronk models add FILE.gguf",
    )
