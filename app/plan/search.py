"""The ladder of candidates, and which of them wins.

Rungs: everything on GPUs; a smaller KV type; smaller prompt pieces; experts in main memory; some layers; none. Of those
that fit the least predicted time wins; f16 KV is kept where another type wins nothing.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from app.plan.fit import Knowledge, shortages
from app.plan.kv import CONTEXT_STEP
from app.plan.model import Model
from app.plan.speed import Throughputs, expected_speed, task_seconds
from app.plan.values import Candidate, ExpectedSpeed, KvType, PlanRequest, TensorOverride, Verdict
from app.plan.weights import expert_pattern, pad

CONTEXTS = (32768, 16384, 8192, 4096)
UBATCHES = (512, 256)
RANKS: dict[Verdict, int] = {"gpu": 3, "partial": 2, "cpu": 1, "too_big": 0}
# What a quantized cache costs in quality, expressed as time: it must win at least this to be chosen.
KV_PENALTY: dict[KvType, float] = {"f16": 1.0, "q8_0": 1.03, "q4_0": 1.1}


@dataclass(frozen=True)
class Choice:
    """A candidate with its verdict and foretold speed."""

    candidate: Candidate
    verdict: Verdict
    speed: ExpectedSpeed

    @property
    def cost_s(self) -> float:
        """The time that candidates are compared by."""
        return task_seconds(self.speed) * KV_PENALTY[self.candidate.kv_type]


@dataclass(frozen=True)
class Search:
    """Looks for the best candidate under what is known of their bytes."""

    request: PlanRequest
    knowledge: Knowledge
    speeds: Throughputs

    @property
    def model(self) -> Model:
        """The model that is planned."""
        return self.knowledge.model

    def best(self) -> Choice:
        """Return the best candidate at the context wished for; its verdict is too_big when nothing fits."""
        if isinstance(self.request.context, int):
            return self.at(self.request.context)
        trained = self.trained_context
        least = min(self.request.min_context, trained)
        goal = self.at(least)
        if goal.verdict == "too_big":
            return goal
        if self.request.context == "max":
            return self._largest(goal, least, trained)
        for context in sorted({trained, *(c for c in CONTEXTS if least < c < trained)}, reverse=True):
            choice = self.at(context, goal.verdict)
            if RANKS[choice.verdict] >= RANKS[goal.verdict]:
                return choice
        return goal

    @property
    def trained_context(self) -> int:
        """The context the model was trained with (4096 where the file does not tell)."""
        return self.model.facts.context_length or CONTEXTS[-1]

    def _largest(self, goal: Choice, least: int, trained: int) -> Choice:
        """Bisect for the largest context, in steps of 256, that keeps the verdict of the least one."""
        kept = {least: goal}

        def holds(blocks: int) -> bool:
            context = blocks * CONTEXT_STEP
            kept[context] = self.at(context, goal.verdict)
            return RANKS[kept[context].verdict] >= RANKS[goal.verdict]

        first = pad(least, CONTEXT_STEP) // CONTEXT_STEP
        found = largest(holds, first, pad(trained, CONTEXT_STEP) // CONTEXT_STEP)
        return goal if found is None else kept[found * CONTEXT_STEP]

    def at(self, context: int, least_verdict: Verdict = "cpu") -> Choice:
        """Return the best candidate at this context; candidates of a lesser verdict need not be looked for."""
        bases = self._bases(pad(context, CONTEXT_STEP))
        wholes = [self.judge(self._with_layers(base, self._most_layers)) for base in bases]
        fitting = [choice for choice in wholes if self.knowledge.fits(choice.candidate)]
        unhelped = self.judge(bases[0])
        # Where GPUs are the faster memory, nothing beats having everything there.
        if fitting and min(choice.cost_s for choice in fitting) <= unhelped.cost_s:
            return min(fitting, key=lambda choice: choice.cost_s)
        others: list[Choice] = []
        if least_verdict != "gpu":
            others = [self.judge(candidate) for base in bases for candidate in self._placements(base)]
            fitting += [choice for choice in others if self.knowledge.fits(choice.candidate)]
        if fitting:
            return min(fitting, key=lambda choice: choice.cost_s)
        nearest = min((*wholes, *others), key=lambda choice: self._missing(choice.candidate))
        return replace(nearest, verdict="too_big")

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
        """Return the candidates without GPU, one for each KV type and size of prompt pieces."""
        parallel = self.request.parallel
        types: tuple[KvType, ...] = ("f16", "q8_0") if self.request.kv_type == "auto" else (self.request.kv_type,)
        return [
            Candidate(0, context, kv_type, n_ubatch, parallel, n_outputs_max=parallel)
            for n_ubatch in UBATCHES
            for kv_type in types
        ]

    def _placements(self, base: Candidate) -> Iterator[Candidate]:
        """Yield the rungs below everything on GPUs: experts in main memory, the most layers, none."""
        if self.request.gpu_layers is not None or not self.knowledge.budgets.gpus:
            return
        if self.model.is_moe:
            yield from self._experts_moved(base)
        total = self.model.n_layers_total
        layers = largest(lambda n: self.knowledge.fits(self._with_layers(base, n)), 1, total - 1)
        if layers is not None:
            yield self._with_layers(base, layers)
        yield base

    def _experts_moved(self, base: Candidate) -> Iterator[Candidate]:
        """Yield everything on GPUs but the experts of as few layers as possible, counted from the back."""
        layers = [layer for layer, experts in enumerate(self.model.host.experts) if experts]

        def moving(kept: int) -> Candidate:
            override = TensorOverride(expert_pattern(layers[kept:]), "CPU")
            return self._with_layers(replace(base, tensor_overrides=(override,)), self.model.n_layers_total)

        kept = largest(lambda n: self.knowledge.fits(moving(n)), 0, len(layers) - 1)
        if kept is not None:
            yield moving(kept)

    def judge(self, candidate: Candidate) -> Choice:
        """Return a candidate with its verdict (as if it fitted) and its foretold speed."""
        if candidate.n_gpu_layers == 0 or not self.knowledge.budgets.gpus:
            verdict: Verdict = "cpu"
        elif candidate.n_gpu_layers >= self.model.n_layers_total and not candidate.tensor_overrides:
            verdict = "gpu"
        else:
            verdict = "partial"
        return Choice(candidate, verdict, expected_speed(self.model, candidate, self.speeds))

    def _with_layers(self, base: Candidate, layers: int) -> Candidate:
        """Return `base` with so many layers on GPUs, on as few of them as hold it."""
        n_gpus = len(self.knowledge.budgets.gpus)
        candidate = replace(base, n_gpu_layers=layers)
        if n_gpus < 2 or layers == 0:
            return candidate
        order = sorted(range(n_gpus), key=lambda i: -self.knowledge.budgets.gpus[i].usable_bytes)
        filled = candidate
        for count in range(1, n_gpus + 1):
            filled = self._filled(candidate, tuple(sorted(order[:count])))
            if self.knowledge.fits(filled):
                break
        return filled

    def _filled(self, candidate: Candidate, chosen: tuple[int, ...]) -> Candidate:
        """Deal layers out from the back: the last GPU takes as many as it holds, and so on; the first the rest."""
        budgets = self.knowledge.budgets.gpus
        split = [0] * len(budgets)
        left = candidate.n_gpu_layers
        for index in reversed(chosen[1:]):
            # While this one is measured, what is left stands on the first.
            def holds(count: int, index: int = index, left: int = left) -> bool:
                trial = list(split)
                trial[index], trial[chosen[0]] = count, left - count
                used = self.knowledge.breakdown(replace(candidate, tensor_split=tuple(trial))).gpus[budgets[index].id]
                return used.total_bytes <= budgets[index].usable_bytes

            split[index] = largest(holds, 0, left) or 0
            left -= split[index]
        split[chosen[0]] = left
        return replace(candidate, tensor_split=tuple(split))


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
