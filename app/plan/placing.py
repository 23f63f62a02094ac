"""Where a model's layers and experts could lie: for each rung the placements that are worth judging.

Layers are dealt over GPUs from the back, each GPU taking as many as it holds: what is left for the next one is then
always the least, so no other deal over the same GPUs puts more layers on them.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import combinations

from app.plan.budget import Budget
from app.plan.fit import Family, Knowledge, shortages
from app.plan.model import Model, Totals
from app.plan.values import Candidate, TensorOverride, Use
from app.plan.weights import padding_of

# Moves nothing; but llama.cpp does not run GPUs as a pipeline, with four copies of every input, when there is any.
NO_PIPELINE = TensorOverride("^$", "CPU")
MOST_SUBSETS_OF = 4
MOST_REPAIRS = 12
EXPERT_CHOICES = 3

Subset = tuple[int, ...]
"""Indices of the GPUs that are used, in the plan's order."""


@dataclass(frozen=True)
class Held:
    """Running totals of what one GPU would hold of a candidate's layers, and what comes with the output."""

    weights: Totals
    kv: Totals
    output_bytes: int
    shared_bytes: int

    def bytes(self, start: int, end: int) -> int:
        """Return the bytes of the positions `start`…`end`−1; the one after the last block is the output."""
        last = len(self.weights) - 1
        a, b = min(start, last), min(end, last)
        total = self.weights[b] - self.weights[a] + self.kv[b] - self.kv[a]
        total += self.shared_bytes if b > a else 0
        return total + (self.output_bytes if start <= last < end else 0)


@dataclass(frozen=True)
class Placer:
    """Makes candidates from a base (context, KV type, ubatch) that fit as far as is known."""

    knowledge: Knowledge
    _held_by: dict[tuple[Candidate, int], Held] = field(default_factory=dict, compare=False, repr=False)

    @property
    def _model(self) -> Model:
        return self.knowledge.model

    @property
    def _gpus(self) -> tuple[Budget, ...]:
        return self.knowledge.budgets.gpus

    def on_one(self, base: Candidate, index: int, layers: int) -> Candidate:
        """Return `base` with its last `layers` on one GPU."""
        return base.placed((0,) * index + (layers,) + (0,) * (len(self._gpus) - 1 - index))

    @cached_property
    def _subsets(self) -> list[Subset]:
        """Return the sets of GPUs to try, small ones first; of many GPUs only the largest so many."""
        indices = range(len(self._gpus))
        if len(indices) <= MOST_SUBSETS_OF:
            subsets = [subset for size in range(1, len(indices) + 1) for subset in combinations(indices, size)]
            return sorted(subsets, key=lambda subset: (len(subset), -sum(self._gpus[i].usable_bytes for i in subset)))
        order = sorted(indices, key=lambda i: -self._gpus[i].usable_bytes)
        return [tuple(sorted(order[:size])) for size in range(1, len(order) + 1)]

    def without_gpus(self, base: Candidate) -> Candidate:
        """Return `base` with nothing on GPUs."""
        return base.placed((0,) * len(self._gpus))

    def layers_on(self, base: Candidate, layers: int, or_nearest: bool = False) -> Iterator[Candidate]:
        """Yield `base` with exactly so many layers on GPUs, on the sets of few GPUs that hold them.

        or_nearest: where none does, on all GPUs.
        """
        if layers == 0 or not self._gpus:
            yield self.without_gpus(base)
            return
        needs_last = or_nearest or bool(self.knowledge.lessons)  # which may teach that less is needed than computed
        found_on = 0
        nearest: Candidate | None = None
        for subset in self._subsets:
            if found_on and len(subset) > found_on + 1:
                return
            if self._are_too_small(base, subset, layers) and not (needs_last and subset == self._subsets[-1]):
                continue
            for candidate in self._dealt(base, subset, layers):
                nearest = candidate
                if self.knowledge.fits(candidate):
                    found_on = found_on or len(subset)
                    yield candidate
                    break
        if or_nearest and not found_on and nearest is not None:
            yield nearest

    @property
    def _large_subsets(self) -> list[Subset]:
        """Return the sets of GPUs to try where not everything fits: of two each and both, of more all."""
        return self._subsets if len(self._gpus) <= 2 else self._subsets[-1:]

    def _are_too_small(self, base: Candidate, subset: Subset, layers: int) -> bool:
        total = self._model.n_layers_total
        least = self._held(base, subset[0]).bytes(total - layers, total)
        return least > sum(self._gpus[index].usable_bytes for index in subset)

    def _dealt(self, base: Candidate, subset: Subset, layers: int) -> Iterator[Candidate]:
        """Yield the deals of so many layers over these GPUs; what does not fit in the middle lies on the first."""
        if len(subset) == 1:
            yield self.on_one(base, subset[0], layers)
            return
        yield self._deal(base, subset, layers)
        if layers >= self._model.n_layers_total and not base.tensor_overrides:
            yield self._deal(replace(base, tensor_overrides=(NO_PIPELINE,)), subset, layers)

    def _deal(self, base: Candidate, subset: Subset, layers: int) -> Candidate:
        """Deal exactly `layers`: every GPU from the last takes as many as it holds, the first the rest."""
        limits = dict.fromkeys(subset, layers)
        candidate = base
        for _ in range(MOST_REPAIRS):
            counts = self._counts(base, subset, layers, limits)
            counts[subset[0]] = layers - sum(counts[index] for index in subset[1:])
            candidate = self._with_counts(base, counts)
            short = self._short(candidate, subset[1:])
            if short is None:
                break
            limits[short] = counts[short] - 1
        return candidate

    def most_layers(self, base: Candidate) -> Iterator[Candidate]:
        """Yield the candidates with the most layers that GPUs hold, less than all."""
        for subset in self._large_subsets:
            candidate = self._most_on_one(base, subset[0]) if len(subset) == 1 else self._most(base, subset)
            if candidate is not None:
                yield candidate

    def _most_on_one(self, base: Candidate, index: int) -> Candidate | None:
        held, total, knowledge = self._held(base, index), self._model.n_layers_total, self.knowledge
        usable = self._gpus[index].usable_bytes
        compute: dict[Family | None, int] = {}
        # Compute buffers may fall as layers are added, so these are looked at one by one, downwards.
        for layers in range(_most_held(held, total, total - 1, usable), 0, -1):
            candidate = self.on_one(base, index, layers)
            family = knowledge.family(candidate) if knowledge.lessons else None  # formulas say the same of all
            is_measured = candidate in knowledge.measured
            if family not in compute:
                known = knowledge.breakdown(candidate).gpus.get(self._gpus[index].id, Use())
                compute[family] = 0 if is_measured else known.compute_bytes
            if not is_measured and held.bytes(total - layers, total) + compute[family] > usable:
                continue
            short = shortages(knowledge.breakdown(candidate), knowledge.budgets)
            if not short:
                return candidate
            if self._gpus[index].id not in short:
                return None  # fewer layers leave more to main memory, which is already short
        return None

    def _most(self, base: Candidate, subset: Subset) -> Candidate | None:
        total = self._model.n_layers_total
        limits = dict.fromkeys(subset, total)
        for _ in range(MOST_REPAIRS):
            counts = self._counts(base, subset, total, limits, like=max(1, total - 1))
            if sum(counts.values()) >= total:
                counts[subset[0]] -= sum(counts.values()) - total + 1
            if min(counts.values()) <= 0:
                return None  # a smaller set holds as many
            candidate = self._with_counts(base, counts)
            if self.knowledge.fits(candidate):
                return candidate
            short = self._short(candidate, subset)
            if short is None:
                return None
            limits[short] = counts[short] - 1
        return None

    def _short(self, candidate: Candidate, subset: Iterable[int]) -> int | None:
        missing = shortages(self.knowledge.breakdown(candidate), self.knowledge.budgets)
        return next((index for index in subset if self._gpus[index].id in missing), None)

    def _with_counts(self, base: Candidate, counts: dict[int, int]) -> Candidate:
        return base.placed(tuple(counts.get(index, 0) for index in range(len(self._gpus))))

    def _counts(
        self, base: Candidate, subset: Subset, layers: int, limits: dict[int, int], like: int | None = None
    ) -> dict[int, int]:
        """Return how many layers each GPU takes, dealt from the back, of at most `layers`.

        like: with how many layers the compute buffers are looked up, `layers` unless given.
        """
        compute = self._compute(base, subset, layers if like is None else like)
        counts = dict.fromkeys(subset, 0)
        end, left = self._model.n_layers_total, layers
        for index in reversed(subset):
            room = self._gpus[index].usable_bytes - compute[index]
            most = max(0, min(left, limits[index]))
            counts[index] = _most_held(self._held(base, index), end, most, room)
            end, left = end - counts[index], left - counts[index]
        return counts

    def _compute(self, base: Candidate, subset: Subset, layers: int) -> dict[int, int]:
        """Return what each GPU needs to compute, read off an even deal."""
        n = max(len(subset), layers)
        even = {index: n // len(subset) + (place < n % len(subset)) for place, index in enumerate(subset)}
        breakdown = self.knowledge.breakdown(self._with_counts(base, even))
        return {index: breakdown.gpus.get(self._gpus[index].id, Use()).compute_bytes for index in subset}

    def _held(self, base: Candidate, index: int) -> Held:
        held = self._held_by.get((base, index))
        if held is None:
            held = self._held_by[base, index] = self._totals_held(base, index)
        return held

    def _totals_held(self, base: Candidate, index: int) -> Held:
        padding = padding_of(self._gpus[index].backend)
        sums, weights = self._model.layer_totals(base)[padding], self._model.weights[padding]
        rest = tuple(a - b for a, b in zip(sums.weights, sums.moved, strict=True)) if sums.moved[-1] else sums.weights
        return Held(rest, self._model.cache_totals(base)[padding], weights.output_bytes, weights.shared_bytes)

    def experts_moved(self, base: Candidate) -> Iterator[Candidate]:
        """Yield candidates whose experts lie in main memory for some layers, the last ones first."""
        if len(self._gpus) == 1:
            yield from self._experts_on_one(base)
            return
        for subset in self._large_subsets:
            yield from self._experts_on(base, subset)

    def _moving(self, base: Candidate, layers: int, kept: int) -> Candidate:
        """Return `base` with the experts of the last `layers` overridden, but those of the first `kept` of them."""
        return replace(base, tensor_overrides=self._overrides(layers, kept))

    def _without_experts(self, base: Candidate, layers: int, kept: int) -> Candidate:
        """Return `base` with its last `layers` on the one GPU, but only the first `kept` of their experts."""
        return base.placed((layers,), self._overrides(layers, kept))

    def _overrides(self, layers: int, kept: int) -> tuple[TensorOverride, ...]:
        mine = self._model.expert_layers
        first = bisect_left(mine, self._model.n_layers_total - layers)
        return self._model.moving_experts(mine[first + kept :])

    def _experts_on_one(self, base: Candidate) -> Iterator[Candidate]:
        """Yield the best few of all pairs (layers on the GPU, layers whose experts are there too)."""
        yielded = 0
        for layers, kept in self._pairs(base):
            candidate = self._repaired(base, layers, kept)
            if candidate is None:
                return
            if self.knowledge.fits(candidate):
                yield candidate
                yielded += 1
            if yielded == EXPERT_CHOICES:
                return

    def _repaired(self, base: Candidate, layers: int, kept: int) -> Candidate | None:
        """Return the candidate with as few experts less as the GPU needs; None when main memory is short."""
        for fewer in range(MOST_REPAIRS):
            candidate = self._without_experts(base, layers, max(0, kept - fewer))
            short = shortages(self.knowledge.breakdown(candidate), self.knowledge.budgets)
            if self._gpus[0].id not in short or kept <= fewer:
                return None if self.knowledge.budgets.host.id in short else candidate
        return candidate

    def _pairs(self, base: Candidate) -> list[tuple[int, int]]:
        """Return (layers, layers that keep their experts) that a GPU seems to hold, those that read least of main
        memory first."""
        model, held, usable = self._model, self._held(base, 0), self._gpus[0].usable_bytes
        experts = model.layer_totals(base)[padding_of(self._gpus[0].backend)].experts
        reads, having, share = model.read_totals(base, 2000), model.n_expert_layers, model.expert_share
        fixed = [weights + kv - size for weights, kv, size in zip(held.weights, held.kv, experts, strict=True)]
        free = usable - held.output_bytes - held.shared_bytes - fixed[-1]
        found: list[tuple[float, int, int]] = []
        columns = zip(self._compute_without_experts(base), fixed, experts, held.kv, reads, having, strict=True)
        for start, (compute_bytes, before, experts_before, kv, read, having_before) in enumerate(columns):
            room = free - compute_bytes + before + (held.shared_bytes if start == model.n_layers else 0)
            if room < 0:
                continue
            end = bisect_right(experts, experts_before + room) - 1  # the experts of the layers from here on move
            host_bytes = before - kv + read + int(share * (experts[-1] - experts[end] + experts_before))
            found.append((host_bytes, start, having[end] - having_before))
        return [(model.n_layers_total - start, kept) for _, start, kept in sorted(found)]

    def _compute_without_experts(self, base: Candidate) -> list[int]:
        """Return what the GPU needs to compute with all layers from 0, 1, 2… on but without their experts."""
        total, gpu = self._model.n_layers_total, self._gpus[0].id
        all_layers, less = (
            self.knowledge.breakdown(self._without_experts(base, layers, 0)).gpus[gpu].compute_bytes
            for layers in (total, max(1, total - 1))
        )
        return [all_layers, *(less,) * (total - 1)]

    def _experts_on(self, base: Candidate, subset: Subset) -> Iterator[Candidate]:
        total = self._model.n_layers_total
        n_experts = sum(1 for experts in self._model.host.experts if experts)

        def dealt(kept: int) -> Candidate:
            moving = self._moving(base, total, kept)
            return self.on_one(moving, subset[0], total) if len(subset) == 1 else self._deal(moving, subset, total)

        low, high = 0, n_experts - 1
        found: Candidate | None = None
        while low <= high:
            middle = (low + high + 1) // 2
            candidate = dealt(middle)
            if self.knowledge.fits(candidate):
                found, low = candidate, middle + 1
            else:
                high = middle - 1
        if found is not None:
            yield found
            return
        partial = self._most(self._moving(base, total, 0), subset) if len(subset) > 1 else None
        if partial is not None:
            yield partial


def _most_held(held: Held, end: int, most: int, room_bytes: int) -> int:
    """Return how many positions before `end`, at most so many, take no more than `room_bytes`; by bisection."""
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        if held.bytes(end - middle, end) <= room_bytes:
            low = middle
        else:
            high = middle - 1
    return low
