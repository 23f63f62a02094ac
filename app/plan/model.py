"""What the search needs of a model, added up once: running totals over its layers."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache, partial
from itertools import accumulate
from typing import Any, NamedTuple, TypeVar

from app.library.facts import ModelFacts
from app.plan.blocks import blocks_of
from app.plan.budget import Budgets
from app.plan.kv import LayerCache, cache_bytes, kv_types, layer_caches, row_bytes
from app.plan.values import Candidate, KvType, TensorOverride
from app.plan.weights import HOST_PADDING, Padding, Weights, expert_pattern, moved_layers, padding_of, weigh

Totals = tuple[int, ...]
"""Running totals: item i is the sum over layers 0…i−1, so a range costs one subtraction."""

T = TypeVar("T")
# A slider asks for hundreds of contexts; each keeps a few lists as long as the model has layers.
MOST_KEPT = 2000


def totals(values: Iterable[int]) -> Totals:
    """Return running totals, starting with 0."""
    return tuple(accumulate(values, initial=0))


class LayerTotals(NamedTuple):
    """Running totals of one kind of device: all weights of layers, their routed experts, those an override moves."""

    weights: Totals
    experts: Totals
    moved: Totals


@dataclass(frozen=True)
class Model:
    """A model's facts with sums that the search asks for again and again; those are kept in `memo`."""

    facts: ModelFacts
    caches: tuple[LayerCache, ...]
    weights: Mapping[Padding, Weights]
    memo: dict[Any, Any] = field(default_factory=dict, compare=False, repr=False)

    @cached_property
    def n_layers(self) -> int:
        """Blocks."""
        return len(self.caches)

    @cached_property
    def n_layers_total(self) -> int:
        """Blocks and the output, as llama.cpp counts."""
        return len(self.caches) + 1

    @cached_property
    def host(self) -> Weights:
        """Weights as main memory stores them."""
        return self.weights[HOST_PADDING]

    @cached_property
    def is_moe(self) -> bool:
        """Whether the model has routed experts."""
        return any(self.host.experts)

    @cached_property
    def kv_types(self) -> tuple[KvType, ...]:
        """The types that llama.cpp takes for this model's cache."""
        return kv_types(self.facts)

    @cached_property
    def distinct_caches(self) -> tuple[LayerCache, ...]:
        """The kinds of layers by what they keep; few."""
        return tuple(dict.fromkeys(self.caches))

    @cached_property
    def _is_windowed(self) -> bool:
        return any(cache.window for cache in self.distinct_caches)

    @cached_property
    def _cache_kinds(self) -> tuple[int, ...]:
        """Which of the distinct caches each layer has."""
        return tuple(map(self.distinct_caches.index, self.caches))

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
        return max(1.0, self.facts.parameters * active / total) if total else 1.0

    @cached_property
    def largest_layer_tensor(self) -> int:
        """The largest tensor of a repeating layer: what a GPU copies while it reads a prompt (op_offload)."""
        return max((part.size_bytes for kind in blocks_of(self.facts).kinds for part in kind), default=0)

    @cached_property
    def n_expert_layers(self) -> Totals:
        """Running totals: how many of the first layers have routed experts."""
        return totals(int(size_bytes > 0) for size_bytes in self.host.experts)

    @cached_property
    def expert_layers(self) -> tuple[int, ...]:
        """The layers that have routed experts."""
        return tuple(layer for layer, size_bytes in enumerate(self.host.experts) if size_bytes)

    def moving_experts(self, layers: tuple[int, ...]) -> tuple[TensorOverride, ...]:
        """Return what leaves the routed experts of these layers in main memory, in one expression."""
        if not layers:
            return ()
        override = _leaving_experts(layers)
        self._kept(("moved", override), lambda: frozenset(layers))  # known without reading the expression again
        return (override,)

    def moved_layers(self, override: TensorOverride) -> frozenset[int]:
        """Return the layers whose routed experts an override names."""
        return self._kept(("moved", override), lambda: moved_layers(override.pattern, self.n_layers))

    def layer_totals(self, candidate: Candidate) -> Mapping[Padding, LayerTotals]:
        """Return the running totals of weights under a candidate's overrides, on each kind of device.

        Overrides of other tensors than routed experts are not foretold here; the dry run knows them.
        """
        key = ("weights", candidate.tensor_overrides)
        return (
            self._kept(key, lambda: self._layer_totals(candidate)) if candidate.tensor_overrides else self._all_layers
        )

    def cache_totals(self, candidate: Candidate) -> Mapping[Padding, Totals]:
        """Return the running totals of what the layers keep, on each kind of device."""
        return self._kept(("cache", self._shape(candidate)), lambda: self._cache_totals(candidate))

    def read_totals(self, candidate: Candidate, tokens: int) -> Totals:
        """Return the running totals of cache bytes that one more token reads when `tokens` are kept.

        Unpacking a quantized cache costs what reading less of it saves, so all is counted as f16.
        """
        context = min(candidate.context, tokens)
        return self._kept(("read", context, tokens), lambda: self._read_totals(context, tokens))

    def _shape(self, candidate: Candidate) -> tuple[object, ...]:
        """Return what the sizes of caches depend on; the size of prompt pieces only where there are windows."""
        return candidate.context, candidate.kv_type, candidate.parallel, candidate.n_ubatch if self._is_windowed else 0

    def _kept(self, key: Any, make: Callable[[], T]) -> T:
        if key not in self.memo:
            if len(self.memo) >= MOST_KEPT:
                self.memo.clear()
            self.memo[key] = make()
        value: T = self.memo[key]
        return value

    @cached_property
    def _all_layers(self) -> Mapping[Padding, LayerTotals]:
        """The running totals of weights where nothing is overridden."""
        nothing = (0,) * self.n_layers_total
        return {
            padding: LayerTotals(totals(weights.layers), totals(weights.experts), nothing)
            for padding, weights in self.weights.items()
        }

    def _layer_totals(self, candidate: Candidate) -> Mapping[Padding, LayerTotals]:
        overrides = [override for override in candidate.tensor_overrides if override.device == "CPU"]
        layers = frozenset[int]().union(*(self.moved_layers(override) for override in overrides))
        if not layers:
            return self._all_layers
        return {
            padding: self._all_layers[padding]._replace(
                moved=totals(size if layer in layers else 0 for layer, size in enumerate(weights.experts))
            )
            for padding, weights in self.weights.items()
        }

    def _cache_totals(self, candidate: Candidate) -> Mapping[Padding, Totals]:
        return {
            padding: totals(self.over_layers(partial(cache_bytes, candidate=candidate, padding=padding)))
            for padding in self.weights
        }

    def _read_totals(self, context: int, tokens: int) -> Totals:
        def read(cache: LayerCache) -> int:
            positions = min(cache.window or context, tokens)
            return positions * row_bytes(cache.k_width + cache.v_width, "f16") + cache.state_bytes

        return totals(self.over_layers(read))

    def over_layers(self, ask: Callable[[LayerCache], int]) -> Iterable[int]:
        """Return for each layer what is true of its kind of cache."""
        return map([ask(cache) for cache in self.distinct_caches].__getitem__, self._cache_kinds)


@lru_cache(maxsize=1024)
def _leaving_experts(layers: tuple[int, ...]) -> TensorOverride:
    """Return the override; many models have as many layers."""
    return TensorOverride(expert_pattern(layers), "CPU")


def study(facts: ModelFacts, budgets: Budgets) -> Model:
    """Add up a model's weights for each kind of device it may be put on; once for each model, its facts keep it."""
    paddings = frozenset({HOST_PADDING, *(padding_of(gpu.backend) for gpu in budgets.gpus)})
    if paddings not in facts.sums:
        weights = {padding: weigh(facts, padding) for padding in paddings}
        facts.sums[paddings] = Model(facts, layer_caches(facts), weights)
    model: Model = facts.sums[paddings]
    return model
