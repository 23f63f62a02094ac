"""Figures of a bench: medians with their spread, and ratios of interleaved pairs."""

import json
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Figure:
    """One measured thing: its values, and what they should be at most (or at least)."""

    name: str
    unit: str
    values: tuple[float, ...]
    at_most: float | None = None
    at_least: float | None = None

    @property
    def median(self) -> float:
        """The value to quote."""
        return statistics.median(self.values)

    @property
    def met(self) -> bool | None:
        """Whether the median meets the bound; None without a bound."""
        if self.at_most is not None:
            return self.median <= self.at_most
        return self.median >= self.at_least if self.at_least is not None else None

    @property
    def bound(self) -> str:
        """The bound as text."""
        if self.at_most is not None:
            return f"≤ {self.at_most:g}"
        return f"≥ {self.at_least:g}" if self.at_least is not None else ""


def timed(action: Callable[[], object], count: int, warm_up: int = 1) -> tuple[float, ...]:
    """Return the seconds each of `count` runs took, after `warm_up` runs that do not count."""
    for _ in range(warm_up):
        action()
    return tuple(_elapsed_s(action) for _ in range(count))


def _elapsed_s(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def interleaved(
    ours: Callable[[int], Sequence[float]], peer: Callable[[int], Sequence[float]], count: int
) -> tuple[list[Sequence[float]], list[Sequence[float]]]:
    """Run both in turn `count` times, the order swapped each time; each gives its figures for run `i`."""
    mine: list[Sequence[float]] = []
    theirs: list[Sequence[float]] = []
    for i in range(count):
        for run, store in ((ours, mine), (peer, theirs)) if i % 2 == 0 else ((peer, theirs), (ours, mine)):
            store.append(run(i))
    return mine, theirs


def print_figures(figures: Sequence[Figure]) -> None:
    """Print the table: median, smallest, largest, bound."""
    width = max(len(figure.name) for figure in figures)
    print(f"{'figure':{width}}  {'median':>9}  {'min':>9}  {'max':>9}  {'n':>3}  unit      bound")
    for figure in figures:
        mark = {True: "met", False: "NOT MET", None: ""}[figure.met]
        numbers = "  ".join(f"{value:9.3f}" for value in (figure.median, min(figure.values), max(figure.values)))
        print(f"{figure.name:{width}}  {numbers}  {len(figure.values):3}  {figure.unit:8}  {figure.bound:8} {mark}")


def write_figures(figures: Sequence[Figure], path: Path) -> None:
    """Write the figures as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [{**asdict(figure), "median": figure.median, "met": figure.met} for figure in figures]
    path.write_text(json.dumps({"time": time.strftime("%Y-%m-%dT%H:%M:%S"), "figures": rows}, indent=2))
