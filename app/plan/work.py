"""What a token costs, layer by layer: bytes of weights by quantization type, and how attention looks back."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

from app.library.facts import ModelFacts
from app.library.ggml_types import GGML_TYPES
from app.plan.blocks import Part, blocks_of
from app.plan.kv import LayerCache
from app.plan.values import Rate
from app.plan.weights import is_expert

Bytes = Mapping[int, int]
"""Bytes by ggml's number of the type."""
Sums = tuple[float, ...]
"""Running sums: item i is the sum over layers 0…i−1."""


@dataclass(frozen=True)
class Work:
    """A model's matrices: those every token meets, routed experts, and the output's.

    last_ffn: those of `layers` that only the last token of a prompt meets, since nothing asks for the others' output
    (llama.cpp src/models/*.cpp: inp_out_ids before the last layer's feed-forward part).
    """

    layers: tuple[Bytes, ...]
    experts: tuple[Bytes, ...]
    output: Bytes
    last_ffn: Bytes

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
        tuple(blocks.each(lambda parts: _by_type(part for part in parts if not is_expert(part)))),
        tuple(blocks.each(lambda parts: _by_type(part for part in parts if is_expert(part)))),
        {output.ggml_type: output.size_bytes} if output else {},
        _by_type(part for part in last if part.name.startswith("ffn_") and not is_expert(part)),
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


def query_elements(facts: ModelFacts, layer: int, cache: LayerCache) -> float:
    """Return the elements of a layer's queries (heads × head size) that look back at what its cache keeps."""
    key = ("queries", layer)
    if key not in facts.sums:
        heads, kv_heads = _at(facts, "attention.head_count", layer), _at(facts, "attention.head_count_kv", layer)
        shared = max(1.0, heads / (kv_heads or heads or 1.0))
        facts.sums[key] = (cache.k_width + (cache.v_width or cache.k_width)) / 2 * shared
    elements: float = facts.sums[key]
    return elements


def _at(facts: ModelFacts, key: str, layer: int) -> float:
    value = facts.hyperparameter(key, 0)
    if isinstance(value, tuple):
        return float(value[layer]) if layer < len(value) else 0.0
    return float(value or 0)
