"""pronk models: the list of models, adding, removing and verifying them."""

import argparse
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from app.actions.context import Pronk
from app.cli.output import Output, add_events, add_json, print_json, print_table
from app.core.errors import BadRequest
from app.core.units import format_size

if TYPE_CHECKING:
    from app.actions.models import LibraryModel

_ACTIONS = ("list", "add", "remove", "scan", "verify")


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command and its options."""
    parser = commands.add_parser(
        "models",
        help="list, add, remove and verify models",
        description="list: what there is. add FILE…: put files on the list where they lie. "
        "remove NAME…: take them off. scan: look at every file again. verify [NAME…]: compare bytes with their sha256.",
    )
    parser.add_argument("action", nargs="?", choices=_ACTIONS, default="list", help="what to do (default: list)")
    parser.add_argument("targets", nargs="*", metavar="FILE|NAME", help="files to add, or names of models")
    parser.add_argument("--starter", action="store_true", help="with add: the small starter model")
    parser.add_argument("--force", action="store_true", help="with add: also files that the engine cannot load")
    parser.add_argument("--delete", action="store_true", help="with remove: move the file to Pronk's trash too")
    add_json(parser)
    add_events(parser)


def run(arguments: argparse.Namespace, pronk: Pronk) -> int:
    """Do what was asked for and print the list, or the part of it that was touched."""
    _check(arguments)
    return _RUNNERS[arguments.action](arguments, pronk)


def _check(arguments: argparse.Namespace) -> None:
    if arguments.action == "add" and not arguments.targets and not arguments.starter:
        raise BadRequest("Nothing to add.", hint="pronk models add FILE.gguf, or pronk models add --starter")
    if arguments.action == "remove" and not arguments.targets:
        raise BadRequest("Nothing to remove.", hint="pronk models remove NAME")
    if arguments.action in ("list", "scan") and arguments.targets:
        raise BadRequest(f"`pronk models {arguments.action}` takes no names.", hint="pronk models --help")


def _list(arguments: argparse.Namespace, pronk: Pronk) -> int:
    from app.actions.models import list_models

    return _show(arguments, list_models(pronk))


def _scan(arguments: argparse.Namespace, pronk: Pronk) -> int:
    from app.actions.models import scan_models

    return _show(arguments, scan_models(pronk))


def _add(arguments: argparse.Namespace, pronk: Pronk) -> int:
    from app.actions.models import add_file, add_starter

    added = [add_starter(pronk)] if arguments.starter else []
    added += [add_file(pronk, Path(target), arguments.force, _warn) for target in arguments.targets]
    return _show(arguments, added)


def _warn(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


def _remove(arguments: argparse.Namespace, pronk: Pronk) -> int:
    from app.actions.models import list_models, remove_model

    for target in arguments.targets:
        removed = remove_model(pronk, target, delete=arguments.delete)
        if not arguments.json and not arguments.events:
            print(f"Removed {removed.name}. Its file lies in {removed.trashed or removed.path}.")
    if arguments.json or arguments.events:
        return _show(arguments, list_models(pronk))
    return 0


def _verify(arguments: argparse.Namespace, pronk: Pronk) -> int:
    from app.actions.models import verify_models
    from app.jobs.child import watch_stdin

    cancel = threading.Event()
    if arguments.watch_stdin:
        watch_stdin(cancel.set)
    models = verify_models(pronk, arguments.targets, Output(arguments).event, cancel)
    _show(arguments, models)
    return 0 if all(model.verified for model in models) else 1


_RUNNERS: dict[str, Callable[[argparse.Namespace, Pronk], int]] = {
    "list": _list,
    "scan": _scan,
    "add": _add,
    "remove": _remove,
    "verify": _verify,
}


def _show(arguments: argparse.Namespace, models: "Sequence[LibraryModel]") -> int:
    if arguments.events:
        Output(arguments).done({"models": list(models)})
    elif arguments.json:
        print_json({"models": list(models)})
    elif models:
        rows = [
            (model.name, format_size(model.size_bytes), model.architecture, model.type, model.source, _state(model))
            for model in models
        ]
        print_table(("NAME", "SIZE", "ARCHITECTURE", "TYPE", "SOURCE", "STATE"), rows, right=(1,))
        for model in models:
            if model.fault:
                print(f"{model.name}: {model.fault}")
    else:
        print("The library is empty. Put a model in: pronk models add FILE.gguf, or pronk models add --starter")
    return 0


def _state(model: "LibraryModel") -> str:
    if model.missing:
        return "missing"
    if model.fault:
        return "damaged"
    return "verified" if model.verified else ""
