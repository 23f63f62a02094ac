"""Whether a candidate fits, and what the dry run teaches about its neighbours."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from app.plan.budget import Budgets
from app.plan.estimate import estimate
from app.plan.model import Model
from app.plan.values import Breakdown, Candidate, Use


@dataclass(frozen=True)
class Shift:
    """How a dry run differed from the estimate on one device.

    The compute buffer's is a ratio: its bound is too large by a factor more than by a sum. Where that makes a candidate
    look smaller than it is, it is chosen, asked for and then known.
    """

    weights_bytes: int = 0
    kv_bytes: int = 0
    compute_ratio: float = 1.0


NO_CHANGE = Shift()


@dataclass(frozen=True)
class Knowledge:
    """Bytes of candidates: measured where a dry run answered, else estimated and shifted by the last dry run."""

    model: Model
    budgets: Budgets
    measured: Mapping[Candidate, Breakdown] = field(default_factory=dict)
    shifts: Mapping[str, Shift] = field(default_factory=dict)

    def breakdown(self, candidate: Candidate) -> Breakdown:
        """Return the bytes of a candidate, the best that is known."""
        known = self.measured.get(candidate)
        if known is not None:
            return known
        guess = estimate(self.model, candidate, self.budgets)
        if not self.shifts:
            return guess
        gpus = {id_: _shifted(use, self.shifts.get(id_, NO_CHANGE)) for id_, use in guess.gpus.items()}
        return Breakdown(_shifted(guess.host, self.shifts.get("CPU", NO_CHANGE)), gpus)

    def fits(self, candidate: Candidate) -> bool:
        """Tell whether every device holds its part."""
        return not shortages(self.breakdown(candidate), self.budgets)

    def learned(self, candidate: Candidate, answer: Breakdown) -> "Knowledge":
        """Return this with a dry run's answer, which also shifts the estimates of other candidates."""
        guess = estimate(self.model, candidate, self.budgets)
        shifts = {"CPU": _difference(answer.host, guess.host)}
        for id_, use in guess.gpus.items():
            shifts[id_] = _difference(answer.gpus.get(id_, Use()), use)
        return Knowledge(self.model, self.budgets, {**self.measured, candidate: answer}, shifts)


def shortages(breakdown: Breakdown, budgets: Budgets) -> dict[str, int]:
    """Return the bytes that are missing, by device; integrated GPUs take from main memory too."""
    missing: dict[str, int] = {}
    in_memory = breakdown.host.total_bytes
    for budget in budgets.gpus:
        used = breakdown.gpus.get(budget.id, Use()).total_bytes
        if used > budget.usable_bytes:
            missing[budget.id] = used - budget.usable_bytes
        if budget.integrated:
            in_memory += used
    if in_memory > budgets.host.usable_bytes:
        missing[budgets.host.id] = in_memory - budgets.host.usable_bytes
    return missing


def _difference(answer: Use, guess: Use) -> Shift:
    return Shift(
        answer.weights_bytes - guess.weights_bytes,
        answer.kv_bytes - guess.kv_bytes,
        answer.compute_bytes / guess.compute_bytes if guess.compute_bytes else 1.0,
    )


def _shifted(use: Use, shift: Shift) -> Use:
    # Never below a tenth of the estimate: a shift learned where a device held much must not make it free elsewhere.
    return Use(
        max(use.weights_bytes // 10, use.weights_bytes + shift.weights_bytes),
        max(use.kv_bytes // 10, use.kv_bytes + shift.kv_bytes),
        int(use.compute_bytes * max(0.1, shift.compute_ratio)),
    )
