"""pronk plan: how a model would be loaded here, and why."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from app.actions.context import Pronk
from app.cli.output import add_json, print_json, print_table
from app.cli.plan_options import add_plan_options, add_simulation_options, plan_request, simulated_gpus, simulated_ram
from app.core.units import format_size

if TYPE_CHECKING:
    from app.plan.values import DevicePlan, LoadPlan


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command and its options."""
    parser = commands.add_parser("plan", help="work out how a model fits on this computer")
    parser.add_argument("model", metavar="MODEL", help="a .gguf file or a name in the library")
    add_plan_options(parser)
    add_simulation_options(parser)
    add_json(parser)


def run(arguments: argparse.Namespace, pronk: Pronk) -> int:
    """Print the plan; a model that is too big is an answer, not a failure."""
    from app.actions.models import inspect_model
    from app.actions.plan import plan_here, read_plan

    request = plan_request(arguments)
    facts = inspect_model(pronk, arguments.model)
    if arguments.plan is not None:
        notes: tuple[str, ...] = ()
        plan = read_plan(arguments.plan)
    else:
        devices, plan = plan_here(
            pronk,
            facts,
            request,
            simulated_gpus(arguments),
            simulated_ram(arguments),
            tuple(arguments.rpc),
            measuring=_tell_of_measuring,
        )
        notes = devices.notes
    if arguments.json:
        from app.plan.json import plan_document

        print_json({**plan_document(plan), "notes": notes})
    else:
        print_plan(plan, Path(facts.path).stem, notes)
    return 0


def _tell_of_measuring() -> None:
    print("Measuring how fast this computer is, once: some seconds …", file=sys.stderr, flush=True)


def print_plan(plan: "LoadPlan", name: str, notes: tuple[str, ...]) -> None:
    """Print a plan for people: verdict, a table of bytes, the reasons."""
    from app.plan.words import verdict_sentence

    print(f"{name}: {verdict_sentence(plan)}")
    print()
    rows = [_row(device) for device in (*plan.devices, plan.host)]
    print_table(["DEVICE", "WEIGHTS", "KV", "COMPUTE", "USED", "FREE", "RESERVE"], rows, right=range(1, 7))
    print()
    for reason in plan.reasons:
        print(reason)
    for other in plan.alternatives:
        formula = ", bytes by formula" if other.method != plan.method else ""
        print(f"Instead: {verdict_sentence(other)} (--context {other.context}{formula})")
    for note in notes:
        print(f"Note: {note}")
    source = "llama.cpp's own dry run" if plan.method == "dry_run" else "formulas"
    print(f"Planned in {plan.elapsed_ms:.0f} ms, bytes from {source}.")


def _row(device: "DevicePlan") -> list[str]:
    used = device.weights_bytes + device.kv_bytes + device.compute_bytes
    sizes = (device.weights_bytes, device.kv_bytes, device.compute_bytes, used, device.free_bytes, device.reserve_bytes)
    return ["main memory" if device.id == "CPU" else device.id, *(format_size(size) for size in sizes)]
