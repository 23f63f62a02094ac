"""What a token costs, layer by layer: bytes of weights by quantization type, and how attention looks back."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import Any, NamedTuple

from app.library.facts import ModelFacts
from app.library.ggml_types import GGML_TYPES
from app.plan.blocks import Part, blocks_of
from app.plan.kv import LayerCache, layer_values
from app.plan.values import Rate

Bytes = Mapping[int, int]
"""Bytes by ggml's number of the type."""
Sums = tuple[float, ...]
"""Running sums: item i is the sum over layers 0…i−1."""


class LayerWork(NamedTuple):
    """A layer's matrices: those that every token meets, and its routed experts."""

    every: Bytes
    experts: Bytes


@dataclass(frozen=True)
class Work:
    """A model's matrices: those of each kind of layer, each layer's kind, and the output's.

    last_ffn: those that only the last token of a prompt meets, since nothing asks for the others' output
    (llama.cpp src/models/*.cpp: inp_out_ids before the last layer's feed-forward part).
    """

    kinds: tuple[LayerWork, ...]
    kind_of: tuple[int, ...]
    output: Bytes
    last_ffn: Bytes

    @property
    def layers(self) -> tuple[Bytes, ...]:
        """What every token meets in each layer."""
        return tuple(self.kinds[kind].every for kind in self.kind_of)

    @property
    def experts(self) -> tuple[Bytes, ...]:
        """Each layer's routed experts."""
        return tuple(self.kinds[kind].experts for kind in self.kind_of)

    def each(self, seconds: Callable[[LayerWork], float]) -> list[float]:
        """Return the seconds of each layer."""
        of_kinds = [seconds(kind) for kind in self.kinds]
        return [of_kinds[kind] for kind in self.kind_of]

    @cached_property
    def bytes_by_type(self) -> Bytes:
        """All of it, by type."""
        total: dict[int, int] = {}
        for part in (*self.layers, *self.experts, self.output):
            for kind, size_bytes in part.items():
                total[kind] = total.get(kind, 0) + size_bytes
        return total

    @property
    def types(self) -> tuple[str, ...]:
        """The names of the types, those with the most bytes first."""
        total = self.bytes_by_type
        return tuple(GGML_TYPES[kind].name for kind in sorted(total, key=lambda kind: -total[kind]))


def work_of(facts: ModelFacts) -> Work:
    """Add up a model's matrices by layer and type; vectors cost next to nothing, the input embedding is looked up."""
    if "work" not in facts.sums:
        facts.sums["work"] = _added_up(facts)
    work: Work = facts.sums["work"]
    return work


def _added_up(facts: ModelFacts) -> Work:
    blocks = blocks_of(facts)
    others = {tensor.name: tensor for tensor in blocks.others if len(tensor.shape) > 1}
    output = others.get("output.weight") or others.get("token_embd.weight")
    last = blocks.kinds[blocks.kind_of[-1]] if blocks.kind_of else ()
    return Work(
        tuple(
            LayerWork(
                _by_type(part for part in parts if not part.is_expert),
                _by_type(part for part in parts if part.is_expert),
            )
            for parts in blocks.kinds
        ),
        blocks.kind_of,
        {output.ggml_type: output.size_bytes} if output else {},
        _by_type(part for part in last if part.name.startswith("ffn_") and not part.is_expert),
    )


def _by_type(parts: Iterable[Part]) -> Bytes:
    """Add up matrices."""
    sums: dict[int, int] = {}
    for part in parts:
        if len(part.shape) > 1:
            sums[part.ggml_type] = sums.get(part.ggml_type, 0) + part.size_bytes
    return sums


def decode_s(part: Bytes, rates: Mapping[str, Rate]) -> float:
    """Return the seconds of reading these matrices once."""
    return sum(size_bytes / rates[GGML_TYPES[kind].name].decode_bytes_per_s for kind, size_bytes in part.items())


def prefill_s(part: Bytes, rates: Mapping[str, Rate]) -> float:
    """Return the seconds of multiplying one token of a prompt with these matrices."""
    seconds = 0.0
    for kind, size_bytes in part.items():
        ggml_type = GGML_TYPES[kind]
        parameters = size_bytes * ggml_type.block_size / ggml_type.block_bytes
        seconds += 2.0 * parameters / rates[ggml_type.name].prefill_flops
    return seconds


def running(values: Iterable[float]) -> Sums:
    """Return running sums, starting with 0."""
    return tuple(accumulate(values, initial=0.0))


class Query(NamedTuple):
    """A layer's queries: their elements (heads × head size), and the window they look back through (0: everything)."""

    elements: float
    window: int


@dataclass(frozen=True)
class Queries:
    """The queries of each kind of layer, and each layer's kind."""

    kinds: tuple[Query, ...]
    kind_of: tuple[int, ...]

    def look_back(self, context: float, tokens: float) -> Sums:
        """Return running sums over layers: elements of queries × positions that each of them looks back at."""
        each = [query.elements * min(query.window or context, tokens) for query in self.kinds]
        return running(each[kind] for kind in self.kind_of)


def queries_of(facts: ModelFacts, caches: Sequence[LayerCache]) -> Queries:
    """Return the queries of a model whose layers keep this."""
    heads, kv_heads = (layer_values(facts, f"attention.{key}") for key in ("head_count", "head_count_kv"))
    rows = list(zip(heads, kv_heads, caches, strict=True))
    kinds = {row: kind for kind, row in enumerate(dict.fromkeys(rows))}
    return Queries(tuple(_query(*row) for row in kinds), tuple(kinds[row] for row in rows))


def _query(heads: Any, kv_heads: Any, cache: LayerCache) -> Query:
    n_heads, n_kv_heads = float(heads or 0), float(kv_heads or 0)
    shared = max(1.0, n_heads / (n_kv_heads or n_heads or 1.0))
    return Query((cache.k_width + (cache.v_width or cache.k_width)) / 2 * shared, cache.window)
