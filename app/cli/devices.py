"""pronk devices: processor, memory, GPUs and engine of this computer."""

import argparse
from typing import TYPE_CHECKING, Any

from app.actions.context import Pronk
from app.cli.output import add_json, print_json

if TYPE_CHECKING:
    from app.devices.values import Devices, Gpu


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command and its options."""
    parser = commands.add_parser("devices", help="show processor, memory, GPUs and engine")
    parser.add_argument("--rpc", action="append", default=[], metavar="HOST:PORT", help="a computer that lends memory")
    add_json(parser)


def run(arguments: argparse.Namespace, pronk: Pronk) -> int:
    """Print what this computer has."""
    from app.actions.devices import find_devices

    devices = find_devices(pronk, rpc=tuple(arguments.rpc))
    if arguments.json:
        print_json(devices_document(devices))
    else:
        _print_text(devices)
    return 0


def devices_document(devices: "Devices") -> dict[str, Any]:
    """Return the contract's fields, what the drivers tell of cards, and notes."""
    return {
        "cpu": devices.cpu,
        "memory": devices.memory,
        "gpus": devices.gpus,
        "engine": {"version": devices.engine_version, "backends": devices.backends},
        "doubles": devices.doubles,
        "cards": devices.cards,
        "notes": devices.notes,
    }


def _print_text(devices: "Devices") -> None:
    from app.cli.output import print_table
    from app.core.units import format_size

    cpu, memory = devices.cpu, devices.memory
    print(f"Processor  {cpu.name}, {cpu.physical_cores} cores ({cpu.logical_cores} threads)")
    speed = f", {format_size(memory.bandwidth_bytes_per_s)}/s" if memory.bandwidth_bytes_per_s else ""
    print(f"Memory     {format_size(memory.available_bytes)} free of {format_size(memory.total_bytes)}{speed}")
    backends = ", ".join(devices.backends)
    print(f"Engine     {f'llama-cpp-python {devices.engine_version} ({backends})' if backends else 'not available'}")
    if devices.gpus:
        print()
        print_table(["GPU", "NAME", "BACKEND", "FREE", "TOTAL", ""], [_row(gpu) for gpu in devices.gpus], right=(3, 4))
    else:
        print("GPUs       none that the engine can use")
    for note in devices.notes:
        print(f"Note: {note}")


def _row(gpu: "Gpu") -> list[str]:
    from app.core.units import format_size

    return [gpu.id, gpu.name, gpu.backend, format_size(gpu.free_bytes), format_size(gpu.total_bytes), _about(gpu)]


def _about(gpu: "Gpu") -> str:
    """Return what else is known of a GPU, in words."""
    from app.core.units import format_size

    words = [
        f"driver {gpu.driver}" if gpu.driver else "",
        "shares main memory" if gpu.integrated else "",
        "a screen hangs on it" if gpu.has_display else "",
        f"other programs hold {format_size(gpu.used_by_others_bytes)}" if gpu.used_by_others_bytes else "",
    ]
    return ", ".join(word for word in words if word)
