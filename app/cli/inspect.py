"""pronk inspect: what a model file says about itself."""

import argparse
from dataclasses import replace
from typing import TYPE_CHECKING

from app.actions.context import Pronk
from app.cli.output import add_json, print_json
from app.core.units import format_size

if TYPE_CHECKING:
    from app.library.facts import ModelFacts


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command and its options."""
    parser = commands.add_parser("inspect", help="show what a model file says about itself")
    parser.add_argument(
        "model", metavar="MODEL", help="a file, the name of a model in the library, or hf:ORG/REPO/FILE.gguf"
    )
    add_json(parser)


def run(arguments: argparse.Namespace, pronk: Pronk) -> int:
    """Print the facts of one model."""
    from app.actions.models import inspect_model
    from app.actions.remote import is_remote

    facts = inspect_model(pronk, arguments.model)
    if is_remote(arguments.model):
        facts = replace(facts, path=arguments.model)  # not the place of its header
    if arguments.json:
        print_json(_document(facts))
    else:
        print(_text(facts))
    return 0


def _document(facts: "ModelFacts") -> dict[str, object]:
    return {
        "path": facts.path,
        "size_bytes": facts.size_bytes,
        "architecture": facts.architecture,
        "name": facts.name,
        "parameters": facts.parameters,
        "file_type": facts.file_type,
        "n_layers": facts.n_layers,
        "context_length": facts.context_length,
        "n_tensors": facts.n_tensors,
        "has_chat_template": bool(facts.chat_template),
        "license": facts.license,
    }


def _text(facts: "ModelFacts") -> str:
    lines = {
        "Name": facts.name,
        "File": f"{facts.path} ({format_size(facts.size_bytes)})",
        "Architecture": f"{facts.architecture}, {facts.n_layers} layers",
        "Parameters": _count(facts.parameters),
        "Type": facts.file_type,
        "Trained context": f"{facts.context_length:,} tokens" if facts.context_length else "unknown",
        "Vocabulary": f"{facts.n_vocab:,} tokens",
        "Tensors": f"{facts.n_tensors:,}",
        "Chat template": "yes" if facts.chat_template else "none",
        "License": facts.license or "not named",
    }
    width = max(map(len, lines))
    return "\n".join(f"{label:<{width}}  {value}" for label, value in lines.items())


def _count(number: int) -> str:
    for factor, unit in ((10**12, "trillion"), (10**9, "billion"), (10**6, "million")):
        if number >= factor:
            return f"{number / factor:.3g} {unit}"
    return f"{number:,}"
