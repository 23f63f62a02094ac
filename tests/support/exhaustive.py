"""The best placements by trying them all with the dry run; only what weights and caches alone exclude is not asked."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from app.library.facts import ModelFacts
from app.plan.budget import Budgets
from app.plan.estimate import estimate
from app.plan.fit import shortages
from app.plan.model import Model, study
from app.plan.placing import NO_PIPELINE
from app.plan.values import Breakdown, Candidate, DryRun, KvType, TensorOverride
from app.plan.weights import expert_pattern

UBATCHES = (512, 256)
# Compute buffers of one kind of candidate differ by no more between its splits.
LEAST_PART = 0.8


@dataclass
class Exhaustive:
    """All candidates of one model on one computer at one context and KV type."""

    facts: ModelFacts
    budgets: Budgets
    dry_run: DryRun
    context: int
    kv_type: KvType
    _least: dict[tuple[object, str], int] = field(default_factory=dict)

    @property
    def model(self) -> Model:
        """The model's sums."""
        return study(self.facts, self.budgets)

    def most_layers(self) -> int:
        """Return the most layers that fit on GPUs, no tensor overridden but for the pipeline."""
        for layers in range(self.model.n_layers_total, 0, -1):
            if any(self.fits(candidate) for candidate in self.candidates(layers)):
                return layers
        return 0

    def candidates(self, layers: int) -> Iterator[Candidate]:
        """Yield every split of so many layers, with pieces of both sizes."""
        whole = layers == self.model.n_layers_total
        for split in splits(layers, len(self.budgets.gpus)):
            several = sum(share > 0 for share in split) > 1
            for overrides in ((), (NO_PIPELINE,)) if whole and several else ((),):
                for n_ubatch in UBATCHES:
                    base = Candidate(layers, self.context, self.kv_type, n_ubatch)
                    yield replace(base, tensor_split=split, tensor_overrides=overrides)

    def with_experts(self) -> Iterator[Candidate]:
        """Yield every pair of layers on the one GPU and layers of them that keep their experts there."""
        total = self.model.n_layers_total
        for layers in range(1, total + 1):
            mine = [i for i in range(total - layers, total - 1) if self.model.host.experts[i]]
            for kept in range(len(mine) + 1):
                override = (TensorOverride(expert_pattern(mine[kept:]), "CPU"),) if kept < len(mine) else ()
                for n_ubatch in UBATCHES:
                    base = Candidate(layers, self.context, self.kv_type, n_ubatch, tensor_split=(layers,))
                    yield replace(base, tensor_overrides=override)

    def fits(self, candidate: Candidate) -> bool:
        """Tell whether a candidate fits; asks unless its weights and cache alone are too large."""
        if self._is_excluded(candidate):
            return False
        answer = self.dry_run(self.facts, candidate, tuple(gpu.id for gpu in self.budgets.gpus))
        self._remember(candidate, answer)
        return not shortages(answer, self.budgets)

    def _remember(self, candidate: Candidate, answer: Breakdown) -> None:
        for id_, use in answer.gpus.items():
            key = (self._kind(candidate), id_)
            if use.total_bytes:
                self._least[key] = min(use.compute_bytes, self._least.get(key, use.compute_bytes))

    def _is_excluded(self, candidate: Candidate) -> bool:
        guess, kind = estimate(self.model, candidate, self.budgets), self._kind(candidate)
        for budget in self.budgets.gpus:
            use = guess.gpus[budget.id]
            # One GPU: every count is asked for that formulas known as exact do not exclude.
            least = LEAST_PART * self._least.get((kind, budget.id), 0) if len(self.budgets.gpus) > 1 else 0
            if use.weights_bytes and use.weights_bytes + use.kv_bytes + least > budget.usable_bytes:
                return True
        return False

    def _kind(self, candidate: Candidate) -> object:
        is_whole = candidate.n_gpu_layers == self.model.n_layers_total
        used = tuple(share > 0 for share in candidate.tensor_split)
        return candidate.n_ubatch, is_whole, candidate.tensor_overrides, used


def splits(layers: int, n_gpus: int) -> Iterator[tuple[int, ...]]:
    """Yield every way to deal layers over GPUs."""
    if n_gpus == 1:
        yield (layers,)
        return
    for first in range(layers + 1):
        for rest in splits(layers - first, n_gpus - 1):
            yield (first, *rest)
