"""pronk worker: lend this computer's memory to another one."""

import argparse

from app.actions.context import Pronk
from app.core.errors import NotYet


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command and its options."""
    parser = commands.add_parser("worker", help="lend this computer's memory (not in this version)")
    parser.add_argument("--host", metavar="H", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", metavar="N", type=int, default=50052, help="port to listen on (default: %(default)s)")


def run(arguments: argparse.Namespace, pronk: Pronk) -> int:
    """Say that this version can't lend memory."""
    raise NotYet(
        "This version of Pronk can't lend its memory to another computer yet.",
        hint="llama.cpp's rpc-server does; pronk plan and pronk serve reach it with --rpc HOST:PORT.",
    )
