"""pronk doctor: what works here, what doesn't, and how to mend it."""

import argparse

from app.actions.context import Pronk
from app.cli.output import add_json, print_json


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command and its options."""
    parser = commands.add_parser("doctor", help="check this installation and say how to mend it")
    add_json(parser)


def run(arguments: argparse.Namespace, pronk: Pronk) -> int:
    """Print every check."""
    from app.actions.doctor import examine

    checks = examine(pronk)
    if arguments.json:
        print_json({"checks": checks})
        return 0
    for check in checks:
        print(f"{'ok ' if check.ok else '!! '} {check.name}: {check.found}")
        if check.remedy:
            print(f"     {check.remedy}")
    return 0
