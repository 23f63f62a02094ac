"""The ladder of candidates, and which of them wins.

Rungs: everything on GPUs; a smaller KV type; smaller prompt pieces; experts in main memory; some layers; none. Of those
that fit the least predicted time wins; f16 KV is kept where another type wins nothing.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property

from app.plan.fit import Knowledge, shortages
from app.plan.kv import CONTEXT_STEP
from app.plan.model import Model
from app.plan.nearest import filled
from app.plan.placing import NO_PIPELINE, Placer
from app.plan.speed import Throughputs, task_seconds
from app.plan.values import Candidate, KvType, PlanRequest, Verdict
from app.plan.weights import pad

CONTEXTS = (32768, 16384, 8192, 4096)
RANKS: dict[Verdict, int] = {"gpu": 3, "partial": 2, "cpu": 1, "too_big": 0}
# What a quantized cache costs in quality, expressed as time: it must win at least this to be chosen.
KV_PENALTY: dict[KvType, float] = {"f16": 1.0, "q8_0": 1.03, "q4_0": 1.1}


@dataclass(frozen=True)
class Choice:
    """A candidate with its verdict and the time that it is foretold to take."""

    candidate: Candidate
    verdict: Verdict
    task_s: float

    @property
    def cost_s(self) -> float:
        """The time that candidates are compared by."""
        return self.task_s * KV_PENALTY[self.candidate.kv_type]


@dataclass(frozen=True)
class Search:
    """Looks for the best candidate under what is known of their bytes."""

    request: PlanRequest
    knowledge: Knowledge
    speeds: Throughputs
    _judged: dict[Candidate, Choice] = field(default_factory=dict, compare=False, repr=False)

    @property
    def model(self) -> Model:
        """The model that is planned."""
        return self.knowledge.model

    def best(self) -> Choice:
        """Return the best candidate at the context wished for; its verdict is too_big when nothing fits."""
        if isinstance(self.request.context, int):
            return self.at(self.request.context)
        goal = self.at(self.least_context)
        if goal.verdict == "too_big":
            return goal
        if self.request.context == "max":
            return self._largest(goal)
        for context in self._contexts():
            choice = self._found(context, goal.verdict)
            if choice is not None and RANKS[choice.verdict] >= RANKS[goal.verdict]:
                return choice
        return goal

    @cached_property
    def _placer(self) -> Placer:
        return Placer(self.knowledge)

    @property
    def trained_context(self) -> int:
        """The context the model was trained with (4096 where the file does not tell)."""
        return self.model.facts.context_length or CONTEXTS[-1]

    @property
    def least_context(self) -> int:
        """The least context that the user accepts, never more than the trained one."""
        return min(self.request.min_context, self.trained_context)

    def _contexts(self) -> list[int]:
        trained, least = self.trained_context, self.least_context
        return sorted({trained, *(context for context in CONTEXTS if least < context < trained)}, reverse=True)

    def _largest(self, goal: Choice) -> Choice:
        """Bisect for the largest context, in steps of 256, that keeps the verdict of the least one."""
        kept: dict[int, Choice | None] = {}

        def holds(blocks: int) -> bool:
            kept[blocks] = choice = self._found(blocks * CONTEXT_STEP, goal.verdict)
            return choice is not None and RANKS[choice.verdict] >= RANKS[goal.verdict]

        first, last = (
            pad(context, CONTEXT_STEP) // CONTEXT_STEP for context in (self.least_context, self.trained_context)
        )
        found = largest(holds, first, last)
        return (found is not None and kept[found]) or goal

    def at(self, context: int) -> Choice:
        """Return the best candidate at this context; its verdict is too_big when nothing fits."""
        return self._found(context, "cpu") or self._nearest(context)

    def _found(self, context: int, least_verdict: Verdict) -> Choice | None:
        """Return the best that fits at this context; of a lesser verdict nothing needs to be looked for."""
        key, memo = ("found", context, least_verdict), self.knowledge.memo
        if key not in memo:
            fitting = self._fitting_at(context, least_verdict)
            memo[key] = min(fitting, key=lambda choice: choice.cost_s, default=None)
        choice: Choice | None = memo[key]
        return choice

    def _fitting_at(self, context: int, least_verdict: Verdict) -> list[Choice]:
        placer, bases = self._placer, self._bases(context)
        wholes = self._fitting(self._wholes(placer, bases))
        if least_verdict == "gpu":
            return wholes
        # Where GPUs are the faster memory, nothing beats having everything there.
        if wholes and min(choice.cost_s for choice in wholes) <= self.judge(placer.without_gpus(bases[0])).cost_s:
            return wholes
        return wholes + self._fitting(self._placements(placer, bases))

    def _nearest(self, context: int) -> Choice:
        """Return what lacks the least in all, as too big: everything on GPUs, as much as they hold, or nothing."""
        placer, bases = self._placer, self._bases(context)
        tried = [each for base in bases for each in placer.layers_on(base, self._most_layers, or_nearest=True)]
        if self.request.gpu_layers is None:
            tried += [placer.without_gpus(base) for base in bases]
            tried += filled(self.knowledge, bases)
        return replace(self.judge(min(tried, key=self._missing)), verdict="too_big")

    def _wholes(self, placer: Placer, bases: list[Candidate]) -> list[Candidate]:
        """Return the uppermost rung's candidates; bases come by cost: on one GPU the first that fits will do."""
        found: list[Candidate] = []
        for base in bases:
            found += placer.layers_on(base, self._most_layers)
            if len(self.knowledge.budgets.gpus) < 2 and found and self.knowledge.fits(found[-1]):
                break
        return found

    def _fitting(self, candidates: Iterable[Candidate]) -> list[Choice]:
        """Return those that fit; they come by cost: of several of the same placement the first will do."""
        placements: dict[object, Candidate] = {}
        for candidate in candidates:
            placement = (candidate.tensor_split, candidate.tensor_overrides)
            if placement not in placements and self.knowledge.fits(candidate):
                placements[placement] = candidate
        return [self.judge(candidate) for candidate in placements.values()]

    @property
    def _most_layers(self) -> int:
        """Layers on GPUs in the uppermost rung: those asked for, as far as the model has them, else all."""
        if not self.knowledge.budgets.gpus:
            return 0
        total = self.model.n_layers_total
        return total if self.request.gpu_layers is None else min(self.request.gpu_layers, total)

    def _missing(self, candidate: Candidate) -> int:
        return sum(shortages(self.knowledge.breakdown(candidate), self.knowledge.budgets).values())

    def _bases(self, context: int) -> list[Candidate]:
        """Return the candidates without GPU, one for each KV type and size of prompt pieces, by cost."""
        request, context = self.request, pad(context, CONTEXT_STEP)
        types: tuple[KvType, ...] = ("f16", "q8_0") if request.kv_type == "auto" else (request.kv_type,)
        return [
            Candidate(0, context, kv_type, n_ubatch, request.parallel, outputs(request, n_ubatch))
            for kv_type in types
            if kv_type in self.model.kv_types
            for n_ubatch in self.speeds.pieces
        ]

    def _placements(self, placer: Placer, bases: list[Candidate]) -> Iterator[Candidate]:
        """Yield the rungs below everything on GPUs: experts in main memory, the most layers, none."""
        if self.request.gpu_layers is not None or not self.knowledge.budgets.gpus:
            return
        for base in bases:
            if self.model.is_moe:
                yield from placer.experts_moved(base)
            yield from placer.most_layers(base)
        # They come by cost: of those without a GPU the first that fits will do.
        for base in bases:
            without = placer.without_gpus(base)
            yield without
            if self.knowledge.fits(without):
                return

    def judge(self, candidate: Candidate) -> Choice:
        """Return a candidate with its verdict (as if it fitted) and its foretold time."""
        choice = self._judged.get(candidate)
        if choice is None:
            task_s = task_seconds(self.model, candidate, self.speeds)
            choice = self._judged[candidate] = Choice(candidate, self._verdict(candidate), task_s)
        return choice

    def _verdict(self, candidate: Candidate) -> Verdict:
        if candidate.n_gpu_layers == 0 or not self.knowledge.budgets.gpus:
            return "cpu"
        moved = [override for override in candidate.tensor_overrides if override != NO_PIPELINE]
        return "gpu" if candidate.n_gpu_layers >= self.model.n_layers_total and not moved else "partial"


def outputs(request: PlanRequest, n_ubatch: int) -> int:
    """Return how many outputs a batch may ask for; llama.cpp aborts the process when there are more.

    One for each answer and each token guessed ahead; with all_outputs one for each token of a batch.
    """
    each = n_ubatch if request.all_outputs else min(n_ubatch, request.parallel * (1 + request.draft_tokens))
    return max(request.parallel, each)


def largest(holds: Callable[[int], bool], low: int, high: int) -> int | None:
    """Return the largest number of low…high that holds, by bisection; None when not even `low` does."""
    if high < low or not holds(low):
        return None
    while low < high:
        middle = (low + high + 1) // 2
        if holds(middle):
            low = middle
        else:
            high = middle - 1
    return low
