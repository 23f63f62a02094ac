"""The bytes of a candidate by formulas: weights and caches exact, compute buffers on the safe side."""

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

from app.plan.budget import Budgets
from app.plan.compute import Buffers, buffers_of
from app.plan.model import LayerTotals, Model, Totals
from app.plan.values import Breakdown, Candidate, Use
from app.plan.weights import HOST_PADDING, Padding, padding_of

WITHOUT_PINNED_MEMORY = frozenset({"rpc", "metal"})


class Span(NamedTuple):
    """Neighbouring layers on one device: blocks `start`…`end`−1, and whether the output follows them there."""

    start: int
    end: int
    has_output: bool

    @property
    def blocks(self) -> int:
        """How many blocks."""
        return self.end - self.start


class Spans(NamedTuple):
    """Where a candidate's layers lie: the first ones on the host, the rest on the GPUs in their order."""

    host: Span
    gpus: tuple[Span, ...]


def spans_of(candidate: Candidate, n_layers: int, n_gpus: int) -> Spans:
    """Return where llama.cpp puts each layer (llama-model.cpp, load_tensors: upper_bound over the split's sums)."""
    return _dealt(candidate.n_gpu_layers, candidate.tensor_split, n_layers, n_gpus)


@lru_cache(maxsize=4096)
def _dealt(n_gpu_layers: int, tensor_split: tuple[int, ...], n_layers: int, n_gpus: int) -> Spans:
    total = n_layers + 1
    count = min(n_gpu_layers, total) if n_gpus else 0
    start = total - count
    gpus = []
    split = tensor_split or (count, *(0,) * max(0, n_gpus - 1))
    whole, dealt, place = sum(split) or 1, 0, start
    for share in split[:n_gpus]:
        dealt += share
        end = start - (-dealt * count // whole)
        gpus.append(_span(place, end, n_layers))
        place = end
    return Spans(_span(0, start, n_layers), tuple(gpus))


def _span(start: int, end: int, n_layers: int) -> Span:
    return Span(min(start, n_layers), min(end, n_layers), start <= n_layers < end)


def _runs_as_pipeline(model: Model, candidate: Candidate, spans: Spans) -> bool:
    if candidate.tensor_overrides or candidate.n_gpu_layers < model.n_layers_total:
        return False
    return _used(candidate, spans) > 1


def _used(candidate: Candidate, spans: Spans) -> int:
    """Return how many GPUs llama.cpp is told of: those with layers, or all where no split is given."""
    return sum(share > 0 for share in candidate.tensor_split) if candidate.tensor_split else len(spans.gpus)


class _Laid(NamedTuple):
    """A candidate with where its layers lie, the running totals of its bytes, and bounds of its compute buffers."""

    model: Model
    candidate: Candidate
    spans: Spans
    layers: Mapping[Padding, LayerTotals]
    kv: Mapping[Padding, Totals]
    buffers: Buffers
    pipeline_bytes: int


def estimate(model: Model, candidate: Candidate, budgets: Budgets) -> Breakdown:
    """Return the bytes of a candidate on each device."""
    spans, buffers = spans_of(candidate, model.n_layers, len(budgets.gpus)), buffers_of(model, candidate)
    pipeline_bytes = buffers.pipeline_bytes if _runs_as_pipeline(model, candidate, spans) else 0
    layers, kv = model.layer_totals(candidate), model.cache_totals(candidate)
    laid = _Laid(model, candidate, spans, layers, kv, buffers, pipeline_bytes)
    gpus = {budget.id: _gpu_use(laid, index, padding_of(budget.backend)) for index, budget in enumerate(budgets.gpus)}
    # Beside a GPU that has pinned memory, weights of the host lie there as they are.
    repacks = all(budget.backend in WITHOUT_PINNED_MEMORY for budget in budgets.gpus)
    return Breakdown(_host_use(laid, repacks), gpus)


def with_compute_of(told: Breakdown, guess: Breakdown) -> Breakdown:
    """Return weights and caches of an estimate with the compute buffers that llama.cpp told."""
    gpus = {id_: replace(use, compute_bytes=told.gpus.get(id_, Use()).compute_bytes) for id_, use in guess.gpus.items()}
    return Breakdown(replace(guess.host, compute_bytes=told.host.compute_bytes), gpus, is_exact=False)


def _gpu_use(laid: _Laid, index: int, padding: Padding) -> Use:
    span = laid.spans.gpus[index]
    if not span.blocks and not span.has_output:
        # A GPU that is named to llama.cpp helps to read long prompts with the weights of the host, even without layers.
        helps = index == 0 and laid.spans.host.blocks and not laid.candidate.tensor_split
        return Use(compute_bytes=laid.buffers.running_bytes + _copied_bytes(laid, 0) if helps else 0)
    weights, totals = laid.model.weights[padding], laid.layers[padding]
    moved = totals.moved
    total = _between(totals.weights, span) - _between(moved, span)
    total += weights.output_bytes if span.has_output else 0
    total += weights.shared_bytes if any(weights.sharing[span.start : span.end]) else 0
    compute = laid.buffers.running_bytes + (laid.buffers.outputs_bytes if span.has_output else 0)
    compute += _copied_bytes(laid, moved[-1]) + laid.pipeline_bytes
    return Use(total, _between(laid.kv[padding], span), compute)


def _copied_bytes(laid: _Laid, moved_bytes: int) -> int:
    """Bound the weights of the host that lie on a GPU while it reads a prompt (op_offload)."""
    if not moved_bytes and not laid.spans.host.blocks:
        return 0
    # With several GPUs the next tensor was seen to arrive before the last one left.
    several = moved_bytes and _used(laid.candidate, laid.spans) > 1
    return laid.model.largest_layer_tensor * (3 if several else 2) // 2


def _host_use(laid: _Laid, repacks: bool) -> Use:
    span, weights, totals = laid.spans.host, laid.model.host, laid.layers[HOST_PADDING]
    moved = totals.moved
    total = weights.input_bytes + _between(totals.weights, span)
    total += moved[-1] - _between(moved, span)
    total += weights.shared_bytes if any(weights.sharing[span.start : span.end]) else 0
    if span.has_output:
        # On most hosts the tied embedding is one tensor, not two.
        is_doubled = weights.is_tied_doubled or (repacks and weights.is_tied_repacked)
        total += weights.output_bytes - (0 if is_doubled else weights.tied_bytes)
    buffers, runs_layers = laid.buffers, bool(span.blocks or moved[-1])
    compute = buffers.running_bytes + buffers.outputs_bytes if runs_layers else buffers.idle_bytes
    return Use(total, _between(laid.kv[HOST_PADDING], span), compute + laid.pipeline_bytes)


def _between(sums: Totals, span: Span) -> int:
    return sums[span.end] - sums[span.start]
