"""`make bench`: the figures as a table, and as JSON beside it (bench/latest.json)."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from tests.bench.converting import conversions
from tests.bench.figures import Figure, print_figures, write_figures
from tests.bench.foretelling import foretelling
from tests.bench.planning import planning
from tests.bench.serving import serving
from tests.bench.starting import command_start, header_reads, window_start
from tests.bench.streaming import streaming
from tests.bench.upstream import upstream

PARTS: dict[str, Callable[[], list[Figure]]] = {
    "start": lambda: [command_start(), window_start()],
    "headers": header_reads,
    "plan": planning,
    "stream": streaming,
    "convert": conversions,
    "serve": serving,
    "upstream": upstream,
    "foretelling": foretelling,
}


def main() -> int:
    """Measure the parts that are named (all without a name); exit 1 when a bound is not met."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="what to measure")
    parser.add_argument("--output", type=Path, default=Path("bench/latest.json"))
    arguments = parser.parse_args()
    figures: list[Figure] = []
    for name in arguments.parts or PARTS:
        print(f"measuring: {name} …", file=sys.stderr, flush=True)
        figures += PARTS[name]()
    print_figures(figures)
    write_figures(figures, arguments.output)
    print(f"written to {arguments.output}")
    return 1 if any(figure.met is False for figure in figures) else 0


if __name__ == "__main__":
    sys.exit(main())
