"""The bytes of a candidate by formulas: weights and caches exact, compute buffers on the safe side."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from app.library.facts import ModelFacts
from app.plan.budget import Budgets
from app.plan.compute import device_compute_bytes, host_compute_bytes
from app.plan.kv import LayerCache, cache_bytes, layer_caches
from app.plan.values import Breakdown, Candidate, Use
from app.plan.weights import HOST_PADDING, Padding, Weights, padding_of, weigh

HOST = -1


@dataclass(frozen=True)
class Model:
    """What the search needs of a model, added up once."""

    facts: ModelFacts
    caches: tuple[LayerCache, ...]
    weights: Mapping[Padding, Weights]

    @property
    def n_layers_total(self) -> int:
        """Blocks and the output, as llama.cpp counts."""
        return self.facts.n_layers + 1

    @cached_property
    def host(self) -> Weights:
        """Weights as main memory stores them."""
        return self.weights[HOST_PADDING]

    @cached_property
    def is_moe(self) -> bool:
        """Whether the model has routed experts."""
        return any(self.host.experts)

    @cached_property
    def expert_share(self) -> float:
        """Which share of the experts a token uses."""
        count = int(self.facts.hyperparameter("expert_count", 0) or 0)
        used = self.facts.hyperparameter("expert_used_count", 0)
        used = max(used) if isinstance(used, tuple) else int(used or 0)
        return min(1.0, used / count) if count and used else 1.0

    @cached_property
    def active_parameters(self) -> float:
        """How many parameters a token is multiplied with (the input embedding is only looked up)."""
        host = self.host
        total = host.input_bytes + sum(host.layers) + host.output_bytes - host.tied_bytes
        active = sum(host.layers) - host.expert_bytes * (1 - self.expert_share) + host.output_bytes
        return self.facts.parameters * active / total if total else 1.0

    @cached_property
    def largest_layer_tensor(self) -> int:
        """The largest tensor of a repeating layer, for what a GPU copies while it reads a prompt."""
        return max((t.size_bytes for t in self.facts.tensors if t.name.startswith("blk.")), default=0)

    def moved_experts(self, candidate: Candidate) -> frozenset[int]:
        """Return the layers whose experts an override keeps in main memory.

        Overrides of other tensors than routed experts are not foretold here; the dry run knows them.
        """
        patterns = [re.compile(o.pattern) for o in candidate.tensor_overrides if o.device == "CPU"]
        return frozenset(
            layer
            for layer, experts in enumerate(self.host.experts)
            if experts and any(pattern.search(f"blk.{layer}.ffn_up_exps.weight") for pattern in patterns)
        )


def study(facts: ModelFacts, budgets: Budgets) -> Model:
    """Add up a model's weights for each kind of device it may be put on."""
    paddings = {HOST_PADDING, *(padding_of(gpu.backend) for gpu in budgets.gpus)}
    return Model(facts, layer_caches(facts), {padding: weigh(facts, padding) for padding in paddings})


def layer_devices(candidate: Candidate, n_layers_total: int, n_gpus: int) -> tuple[int, ...]:
    """Return the GPU's index (or HOST) of each layer, the output last, as llama.cpp's load_tensors places them."""
    count = min(candidate.n_gpu_layers, n_layers_total) if n_gpus else 0
    if count <= 0:
        return (HOST,) * n_layers_total
    split = candidate.tensor_split or (count, *(0,) * (n_gpus - 1))
    places = [HOST] * (n_layers_total - count)
    bounds: list[int] = []
    for share in split:
        bounds.append((bounds[-1] if bounds else 0) + share)
    for position in range(count):
        # upper_bound: the first device whose share ends behind this layer.
        places.append(next(i for i, bound in enumerate(bounds) if bound * count > position * bounds[-1]))
    return tuple(places)


def estimate(model: Model, candidate: Candidate, budgets: Budgets) -> Breakdown:
    """Return the bytes of a candidate on each device."""
    places = layer_devices(candidate, model.n_layers_total, len(budgets.gpus))
    moved = model.moved_experts(candidate) if candidate.tensor_overrides else frozenset()
    gpus = {
        budget.id: _gpu_use(model, candidate, places, moved, index, padding_of(budget.backend))
        for index, budget in enumerate(budgets.gpus)
    }
    return Breakdown(_host_use(model, candidate, places, moved), gpus)


def _gpu_use(
    model: Model, candidate: Candidate, places: tuple[int, ...], moved: frozenset[int], index: int, padding: Padding
) -> Use:
    weights = model.weights[padding]
    mine = [layer for layer, place in enumerate(places[:-1]) if place == index]
    has_output = places[-1] == index
    if not mine and not has_output:
        return Use(compute_bytes=model.largest_layer_tensor if candidate.n_gpu_layers == 0 and index == 0 else 0)
    total = sum(weights.layers[layer] - (weights.experts[layer] if layer in moved else 0) for layer in mine)
    total += weights.output_bytes if has_output else 0
    total += weights.shared_bytes if mine else 0
    copies = model.largest_layer_tensor if moved or HOST in places else 0
    return Use(
        total,
        _cache_bytes(model, candidate, mine, padding),
        device_compute_bytes(model.facts, model.caches, candidate, copies, has_output),
    )


def _host_use(model: Model, candidate: Candidate, places: tuple[int, ...], moved: frozenset[int]) -> Use:
    weights = model.host
    mine = [layer for layer, place in enumerate(places[:-1]) if place == HOST]
    total = weights.input_bytes + sum(weights.layers[layer] for layer in mine)
    total += sum(weights.experts[layer] for layer in moved if places[layer] != HOST)
    total += weights.shared_bytes if mine else 0
    # On the host the tied embedding is one tensor, not two.
    total += weights.output_bytes - weights.tied_bytes if places[-1] == HOST else 0
    runs = bool(mine or moved)
    return Use(
        total,
        _cache_bytes(model, candidate, mine, HOST_PADDING),
        host_compute_bytes(model.facts, model.caches, candidate, runs),
    )


def _cache_bytes(model: Model, candidate: Candidate, layers: list[int], padding: Padding) -> int:
    each: dict[LayerCache, int] = {}
    total = 0
    for layer in layers:
        cache = model.caches[layer]
        if cache not in each:
            each[cache] = cache_bytes(cache, candidate, padding)
        total += each[cache]
    return total
