"""The options of planning, shared by plan, chat, serve and bench."""

import argparse
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from app.core.errors import BadRequest
from app.core.units import format_size, parse_size

if TYPE_CHECKING:
    from app.plan.values import PlanRequest

KV_TYPES = ("auto", "f16", "q8_0", "q4_0")
MIN_CONTEXT = 4096
LEAST_MEMORY_BYTES = 100 * 10**6
THOUSAND = 1024  # as contexts are counted: 16k are 16,384 tokens


def add_plan_options(parser: argparse.ArgumentParser, parallel: int = 1) -> None:
    """Add every option of the plan; `parallel` is the command's default number of answers at a time."""
    group = parser.add_argument_group("plan")
    group.add_argument("--context", metavar="N|max", help="tokens kept in mind, also 16k (default: chosen)")
    group.add_argument("--min-context", type=int, metavar="N", help=f"never plan less (default {MIN_CONTEXT})")
    group.add_argument("--kv-type", choices=KV_TYPES, default="auto", help="how the context is stored")
    group.add_argument("--reserve", metavar="SIZE", help="memory of each GPU to leave free")
    group.add_argument("--parallel", type=int, default=parallel, metavar="N", help="answers at a time")
    group.add_argument("--draft-tokens", type=int, default=0, metavar="N", help="tokens guessed ahead at a time")
    group.add_argument("--all-outputs", action="store_true", help="keep room for an output of every prompt token")
    group.add_argument("--gpu-layers", type=int, metavar="N", help="put so many layers on GPUs (at most all)")
    group.add_argument("--rpc", action="append", default=[], metavar="HOST:PORT", help="a computer that lends memory")
    group.add_argument("--plan", metavar="FILE|-", help="take this plan (from pronk plan --json) as it is")
    group.add_argument("--force", action="store_true", help="load a model although it seems too big")


def add_simulation_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that plan for a computer which is not here."""
    group = parser.add_argument_group("simulated devices")
    group.add_argument("--gpu", action="append", default=[], metavar="NAME=SIZE", help="a GPU instead of those here")
    group.add_argument("--ram", metavar="SIZE", help="main memory instead of what is free here")


def plan_request(arguments: argparse.Namespace) -> "PlanRequest":
    """Return the wishes that the options express; raises BadRequest when they contradict each other."""
    from app.plan.values import PlanRequest

    check_lenders(arguments.rpc)
    context = _context(arguments.context)
    least = MIN_CONTEXT if arguments.min_context is None else arguments.min_context
    if arguments.min_context is not None and isinstance(context, int) and context < least:
        raise BadRequest(
            f"--context {context} is less than --min-context {least}.", hint="Leave one of the two options out."
        )
    return PlanRequest(
        context=context,
        min_context=least,
        kv_type=arguments.kv_type,
        reserve_bytes=None if arguments.reserve is None else parse_size(arguments.reserve),
        parallel=arguments.parallel,
        gpu_layers=arguments.gpu_layers,
        force=arguments.force,
        draft_tokens=arguments.draft_tokens,
        all_outputs=arguments.all_outputs,
    )


def check_lenders(endpoints: Iterable[str]) -> None:
    """Raise BadRequest for the first --rpc that is no HOST:PORT, before anything is said or asked."""
    from app.llama.rpc import split_endpoint

    for endpoint in endpoints:
        split_endpoint(endpoint)


def _context(text: str | None) -> Any:
    if text is None or text == "max":
        return text
    plain = text.replace(",", "").replace("_", "")
    tokens = plain[:-1] if plain[-1:] in ("k", "K") else plain
    try:
        return int(tokens) * (1 if tokens == plain else THOUSAND)
    except ValueError:
        raise BadRequest(f"--context {text} is no number of tokens.", hint="Give a number, 16k, or max.") from None


def simulated_gpus(arguments: argparse.Namespace) -> tuple[tuple[str, int], ...]:
    """Return the (name, bytes) of each --gpu; raises BadRequest for one that is not NAME=SIZE."""
    return tuple(_simulated_gpu(text) for text in arguments.gpu)


def simulated_ram(arguments: argparse.Namespace) -> int | None:
    """Return the bytes of --ram, None without it; raises BadRequest for what no computer has."""
    if arguments.ram is None:
        return None
    return _enough(f"--ram {arguments.ram}", parse_size(arguments.ram), "--ram 32GB")


def _enough(option: str, size_bytes: int, example: str) -> int:
    if size_bytes < LEAST_MEMORY_BYTES:
        raise BadRequest(
            f"{option}: {format_size(size_bytes)} is no memory to plan with.",
            hint=f"Give at least {format_size(LEAST_MEMORY_BYTES)}, for example {example}.",
        )
    return size_bytes


def _simulated_gpu(text: str) -> tuple[str, int]:
    name, separator, size = text.rpartition("=")
    if not separator or not name.strip():
        raise BadRequest(f"--gpu {text} is not NAME=SIZE.", hint='Write for example --gpu "RTX 3060=12GB".')
    return name.strip(), _enough(f"--gpu {text}", parse_size(size), '--gpu "RTX 3060=12GB"')
