"""Whether a candidate fits, and what the dry run teaches about its neighbours."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from app.plan.budget import Budgets
from app.plan.estimate import estimate
from app.plan.model import Model
from app.plan.values import Breakdown, Candidate, Use

NO_CHANGE = (0, 0, 0)


@dataclass(frozen=True)
class Knowledge:
    """Bytes of candidates: measured where a dry run answered, else estimated and shifted by the last dry run."""

    model: Model
    budgets: Budgets
    measured: Mapping[Candidate, Breakdown] = field(default_factory=dict)
    shifts: Mapping[str, tuple[int, int, int]] = field(default_factory=dict)

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


def _difference(answer: Use, guess: Use) -> tuple[int, int, int]:
    return (
        answer.weights_bytes - guess.weights_bytes,
        answer.kv_bytes - guess.kv_bytes,
        answer.compute_bytes - guess.compute_bytes,
    )


def _shifted(use: Use, shift: tuple[int, int, int]) -> Use:
    # Never below a tenth of the estimate: a shift learned where a device held much must not make it free elsewhere.
    return Use(
        max(use.weights_bytes // 10, use.weights_bytes + shift[0]),
        max(use.kv_bytes // 10, use.kv_bytes + shift[1]),
        max(use.compute_bytes // 10, use.compute_bytes + shift[2]),
    )
