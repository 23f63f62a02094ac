"""Foretold speed against `pronk bench`: each model is foretold in a fresh home, before anything ran there.

Run it alone: other programs make both sides slower, not equally.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bench.figures import Figure
from tests.support.checkpoints import make_checkpoint
from tests.support.large_checkpoint import large_checkpoint
from tests.support.models import gemma3_gguf, smollm2_gguf

SMALL_TYPES = ("Q2_K", "Q3_K_M", "Q4_K_M", "Q5_K_M", "Q6_K", "Q8_0", "BF16", "F16")
LARGE_TYPES = ("Q4_K_M", "Q8_0")
MOST_ERROR = 15.0


@dataclass(frozen=True)
class Outcome:
    """One model: foretold and measured tokens a second."""

    name: str
    foretold: dict[str, float]
    measured: dict[str, Any]

    def error_percent(self, what: str) -> float:
        """Return how far the foretold speed is from the measured one, in percent of it, with its sign."""
        name = f"{what}_tokens_per_s"
        return 100 * (self.foretold[name] / float(self.measured[name]) - 1)


def foretelling() -> list[Figure]:
    """The errors' medians (bound: 15 %), after a line for each model."""
    outcomes: list[Outcome] = []
    with tempfile.TemporaryDirectory(dir=os.environ.get("PRONK_BENCH_DIR")) as folder:
        for name, model in models(Path(folder)):
            outcomes.append(_outcome(name, model, Path(folder) / f"home of {name}"))
            _tell(outcomes[-1])
    return [
        Figure(
            f"foretold {what}, error",
            "%",
            tuple(abs(outcome.error_percent(what)) for outcome in outcomes),
            at_most=MOST_ERROR,
        )
        for what in ("decode", "prefill")
    ]


def models(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield names and files: those at hand, SmolLM2 in other types, a model of a billion weights."""
    yield "SmolLM2 Q4_1", smollm2_gguf()
    yield "Gemma 3 270M Q4_K_M", gemma3_gguf()
    small = folder / "SmolLM2"
    make_checkpoint(smollm2_gguf(), small)
    yield from _converted("SmolLM2", small, SMALL_TYPES)
    if os.environ.get("PRONK_BENCH_LARGE", "1") != "0":
        yield from _converted("1B", large_checkpoint(folder / "1B"), LARGE_TYPES)


def _converted(name: str, checkpoint: Path, types: tuple[str, ...]) -> Iterator[tuple[str, Path]]:
    for kind in types:
        out = checkpoint.parent / f"{name}-{kind}.gguf"
        _pronk(checkpoint.parent / "converting", "convert", str(checkpoint), "--type", kind, "--output", str(out))
        yield f"{name} {kind}", out
        out.unlink()


def _outcome(name: str, model: Path, home: Path) -> Outcome:
    foretold = _pronk(home, "plan", str(model))["expected"]
    return Outcome(name, foretold, _pronk(home, "bench", str(model)))


def _tell(outcome: Outcome) -> None:
    parts = [
        f"{what}: foretold {outcome.foretold[f'{what}_tokens_per_s']:7.1f}, "
        f"measured {outcome.measured[f'{what}_tokens_per_s']:7.1f} ({outcome.error_percent(what):+5.1f} %)"
        for what in ("decode", "prefill")
    ]
    print(f"{outcome.name:<22} {'  '.join(parts)}", file=sys.stderr, flush=True)


def _pronk(home: Path, *words: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "app", *words, "--json", "--home", str(home)],
        stdout=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
        check=True,
    )
    document: dict[str, Any] = json.loads(done.stdout)
    return document
