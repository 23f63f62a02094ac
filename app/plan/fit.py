"""Whether a candidate fits, and what dry runs teach about the candidates that nobody asked about.

Weights and caches come from exact formulas. Compute buffers are where formulas are far off; but candidates that lay the
same kind of graph (same cache, same pieces, the same devices, the same largest cache left on the host) need much the
same, so one dry run settles most of its family.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import accumulate
from typing import Any, NamedTuple

from app.plan.budget import Budgets
from app.plan.estimate import estimate
from app.plan.kv import LayerCache, cells_of
from app.plan.model import Model
from app.plan.values import Breakdown, Candidate, Use

# The least compute buffer that is thought possible, as a part of the expected one. Widest falls that dry runs of 25
# models showed: within a family 0.68, from one family to another 0.35; against the formulas alone 0.06.
SAME_FAMILY = 0.65
OTHER_FAMILY = 0.3
NEVER_ASKED = 0.05
# A larger context bends the curve by no more than this for each part that it grows by.
CONTEXT_BEND = 3.0
INEXACT = 0.9


@dataclass(frozen=True)
class Ratio:
    """What a device held in a dry run for each byte of the estimate."""

    weights: float = 1.0
    kv: float = 1.0
    compute: float = 1.0


class Family(NamedTuple):
    """What two candidates must share for their compute buffers to be alike.

    host_cache: elements of the widest cache that stays on the host. edge: the last layer of the host keeps a cache; in
    a hybrid model llama.cpp then gives up flash attention, which takes many times the compute buffer.
    """

    kv_type: str
    n_ubatch: int
    n_outputs_max: int
    parallel: int
    split_over: tuple[bool, ...]
    is_whole: bool
    has_overrides: bool
    host_cache: int
    one_on_host: bool
    edge: bool


@dataclass(frozen=True)
class Lesson:
    """One dry run: whose it was and its ratios by device ("" is the host)."""

    family: Family
    context: int
    ratios: Mapping[str, Ratio]


@dataclass(frozen=True)
class Knowledge:
    """Bytes of candidates: measured where a dry run answered, else estimated with what the nearest one taught.

    is_hopeful: estimates are the least that is thought possible instead of what is expected, so that what does not
    fit even then needs no dry run.
    """

    model: Model
    budgets: Budgets
    measured: Mapping[Candidate, Breakdown] = field(default_factory=dict)
    lessons: tuple[Lesson, ...] = ()
    is_hopeful: bool = False
    memo: dict[Any, Any] = field(default_factory=dict, compare=False, repr=False)

    def breakdown(self, candidate: Candidate) -> Breakdown:
        """Return the bytes of a candidate, the best that is known."""
        known: Breakdown | None = self.memo.get(candidate)
        if known is None:
            known = self.memo[candidate] = self._estimated(candidate)
        return known

    def _estimated(self, candidate: Candidate) -> Breakdown:
        guess = estimate(self.model, candidate, self.budgets)
        if not self.lessons and not self.is_hopeful:
            return guess
        lesson, least = self._lesson(self.family(candidate), candidate.context)
        ratios = {} if lesson is None else lesson.ratios
        unasked = NEVER_ASKED if self.is_hopeful else 1.0
        gpus = {
            id_: _scaled(use, ratios.get(id_), least if id_ in ratios else unasked) for id_, use in guess.gpus.items()
        }
        return Breakdown(_scaled(guess.host, ratios.get(""), least), gpus)

    def fits(self, candidate: Candidate) -> bool:
        """Tell whether every device holds its part."""
        return not shortages(self.breakdown(candidate), self.budgets)

    def hopeful(self) -> "Knowledge":
        """Return this with the least bytes that are thought possible for what was not measured."""
        return replace(self, is_hopeful=True, memo=dict(self.measured))

    def learned(self, candidate: Candidate, answer: Breakdown) -> "Knowledge":
        """Return this with a dry run's answer, which also teaches about other candidates."""
        guess = estimate(self.model, candidate, self.budgets)
        ratios = {"": _ratio(answer.host, guess.host)}
        for id_, use in guess.gpus.items():
            if use.total_bytes:
                ratios[id_] = _ratio(answer.gpus.get(id_, Use()), use)
        lesson = Lesson(self.family(candidate), candidate.context, ratios)
        measured = {**self.measured, candidate: answer}
        return replace(self, measured=measured, lessons=(*self.lessons, lesson), memo=dict(measured))

    def family(self, candidate: Candidate) -> Family:
        """Return what a candidate's compute buffers depend on most."""
        n_host = max(0, self.model.n_layers_total - candidate.n_gpu_layers)
        return Family(
            candidate.kv_type,
            candidate.n_ubatch,
            candidate.n_outputs_max,
            candidate.parallel,
            tuple(share > 0 for share in candidate.tensor_split),
            n_host == 0,
            bool(candidate.tensor_overrides),
            self._widest_caches(candidate)[min(n_host, self.model.n_layers)],
            n_host == 1,
            0 < n_host <= self.model.n_layers and bool(self.model.caches[n_host - 1].k_width),
        )

    def _widest_caches(self, candidate: Candidate) -> tuple[int, ...]:
        """Return, for each number of layers on the host, the largest cache among them: GPUs copy it to read prompts."""
        key = ("widest caches", candidate.context, candidate.n_ubatch, candidate.parallel)
        if key not in self.model.memo:
            elements = self.model.over_layers(lambda cache: _elements(cache, candidate))
            self.model.memo[key] = tuple(accumulate(elements, max, initial=0))
        widest: tuple[int, ...] = self.model.memo[key]
        return widest

    def _lesson(self, family: Family, context: int) -> tuple[Lesson | None, float]:
        """Return the dry run that teaches most about a family, and what part of its compute is thought possible."""
        key = (family, context)
        if key not in self.memo:
            self.memo[key] = self._nearest(family, context)
        nearest: tuple[Lesson | None, float] = self.memo[key]
        return nearest

    def _nearest(self, family: Family, context: int) -> tuple[Lesson | None, float]:
        lessons = [lesson for lesson in self.lessons if lesson.family.edge == family.edge or family.is_whole]
        if not lessons:
            return None, NEVER_ASKED if self.is_hopeful else 1.0
        lesson = min(lessons, key=lambda lesson: _distance(lesson, family, context))
        return lesson, self._possible(lesson, family, context) if self.is_hopeful else 1.0

    def _possible(self, lesson: Lesson, family: Family, context: int) -> float:
        if lesson.family._replace(host_cache=0) != family._replace(host_cache=0):
            return OTHER_FAMILY
        if lesson.context != context:
            bend = CONTEXT_BEND * abs(lesson.context - context) / max(lesson.context, context)
            return max(OTHER_FAMILY, (1.0 if family.is_whole else SAME_FAMILY) - bend)
        return SAME_FAMILY if lesson.family == family else OTHER_FAMILY


def _elements(cache: LayerCache, candidate: Candidate) -> int:
    return cells_of(cache, candidate) * (cache.k_width + cache.v_width) if cache.k_width else 0


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


def _distance(lesson: Lesson, family: Family, context: int) -> tuple[bool, int, bool, float, float]:
    """Order lessons by how much they say about a family; an odd one (a graph without flash attention) comes last."""
    mine = lesson.family
    pairs = (
        (mine.is_whole, family.is_whole),
        (mine.has_overrides, family.has_overrides),
        (mine.kv_type, family.kv_type),
        (mine.split_over, family.split_over),
        (mine.n_ubatch, family.n_ubatch),
        (mine.one_on_host, family.one_on_host),
        (mine.edge, family.edge),
    )
    apart = abs(lesson.context - context) / max(lesson.context, context)
    same_cache = mine.host_cache == family.host_cache
    return (
        sum(a != b for a, b in pairs) > 0,
        sum(a != b for a, b in pairs),
        not same_cache and lesson.context == context,
        apart,
        _largest_ratio(lesson.ratios.values()),
    )


def _largest_ratio(ratios: Iterable[Ratio]) -> float:
    return max((ratio.compute for ratio in ratios), default=1.0)


def _ratio(answer: Use, guess: Use) -> Ratio:
    return Ratio(
        _quotient(answer.weights_bytes, guess.weights_bytes),
        _quotient(answer.kv_bytes, guess.kv_bytes),
        _quotient(answer.compute_bytes, guess.compute_bytes),
    )


def _quotient(answer: int, guess: int) -> float:
    return answer / guess if guess else 1.0


def _scaled(use: Use, ratio: Ratio | None, least: float) -> Use:
    if ratio is None:
        return Use(use.weights_bytes, use.kv_bytes, int(use.compute_bytes * least))
    inexact = ratio.weights != 1.0 or ratio.kv != 1.0
    part = INEXACT if inexact and least < 1.0 else 1.0
    return Use(
        int(use.weights_bytes * ratio.weights * part),
        int(use.kv_bytes * ratio.kv * part),
        int(use.compute_bytes * ratio.compute * least),
    )
