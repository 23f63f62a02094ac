"""Foretold speed: what a candidate's layers cost on the devices they lie on.

Writing a token reads every active weight once (bytes over a device's rate for their type); reading a prompt multiplies
with them (arithmetic over its rate); both look back at what is kept, and start each layer's operations. Devices work
one after the other, so seconds add up. Rates are measured per device and type, typical ones until then (throughput.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from app.plan.estimate import Span, Spans, spans_of
from app.plan.model import Model
from app.plan.throughput import Throughput, Throughputs, throughputs_of
from app.plan.values import Candidate, ExpectedSpeed, Rate
from app.plan.weights import HOST_PADDING
from app.plan.work import Queries, Sums, Work, decode_s, prefill_s, queries_of, running, work_of

__all__ = ["Throughputs", "expected_speed", "task_seconds", "throughputs_of"]

# What `pronk bench` measures, and what is shown: a prompt as long as llama-bench's, and an answer.
PROMPT_TOKENS = 512
ANSWER_TOKENS = 64
# What candidates are compared by.
TASK_PROMPT_TOKENS = 2000
TASK_ANSWER_TOKENS = 300
PCIE_BYTES_PER_S = 12e9
PIECE_TOKENS = 512
# A prompt's attention works in tiles; half of one is looked at in vain (ggml-cpu, GGML_FA_TILE_KV).
HALF_TILE = 32
# The engine's own work for a token: choosing it among all (a candidate list of the whole vocabulary), telling of it.
ENGINE_TOKEN_S = 1.5e-4
ENGINE_VOCABULARY_S = 1.5e-9


@dataclass(frozen=True)
class _Seconds:
    """One device's seconds: running sums over layers for a token written and a token read, experts for each byte."""

    decode: Sums
    prefill: Sums
    expert_decode: float
    expert_prefill: float
    output: float
    device: Throughput


@dataclass(frozen=True)
class _Task:
    """Which positions a token looks back from, on average, while it is written and while it is read."""

    prompt_tokens: int
    answer_tokens: int

    @property
    def decode_tokens(self) -> float:
        """How many tokens are behind one that is written."""
        return self.prompt_tokens + self.answer_tokens / 2

    @property
    def prefill_tokens(self) -> float:
        """How many tokens are behind one that is read."""
        return self.prompt_tokens / 2 + HALF_TILE


SHOWN = _Task(PROMPT_TOKENS, ANSWER_TOKENS)
COMPARED = _Task(TASK_PROMPT_TOKENS, TASK_ANSWER_TOKENS)


@dataclass(frozen=True)
class _Foretelling:
    """A model on these devices; index 0 is the host."""

    model: Model
    speeds: Throughputs
    seconds: tuple[_Seconds, ...]
    queries: Queries
    look_back: dict[tuple[float, float], Sums] = field(default_factory=dict)


class _Place(NamedTuple):
    """What lies on one device: its layers, their bytes without routed experts, bytes of experts that a token uses.

    is_helped: it is the host, beside a GPU to which weights may be copied for prompts (op_offload).
    """

    known: _Seconds
    is_helped: bool
    span: Span
    dense_bytes: int
    expert_bytes: float


def expected_speed(model: Model, candidate: Candidate, speeds: Throughputs) -> ExpectedSpeed:
    """Foretell tokens a second as `pronk bench` measures them, and the seconds candidates are compared by."""
    foretelling = _foretelling(model, speeds)
    places = _places(foretelling, candidate)
    return ExpectedSpeed(
        prefill_tokens_per_s=1 / _prefill_s(foretelling, candidate, places, SHOWN),
        decode_tokens_per_s=1 / _decode_s(foretelling, candidate, places, SHOWN),
        task_s=_compared_s(foretelling, candidate, places),
    )


def task_seconds(model: Model, candidate: Candidate, speeds: Throughputs) -> float:
    """Foretell how long the task takes that candidates are compared by: 2,000 tokens read, 300 written."""
    foretelling = _foretelling(model, speeds)
    return _compared_s(foretelling, candidate, _places(foretelling, candidate))


def _compared_s(foretelling: _Foretelling, candidate: Candidate, places: list[_Place]) -> float:
    seconds = TASK_PROMPT_TOKENS * _prefill_s(foretelling, candidate, places, COMPARED)
    return seconds + TASK_ANSWER_TOKENS * _decode_s(foretelling, candidate, places, COMPARED)


def _foretelling(model: Model, speeds: Throughputs) -> _Foretelling:
    """Return the sums for this model on these devices, those of the last plan when they computed as fast."""
    kept: _Foretelling | None = model.memo.get("foretelling")
    if kept is None or kept.speeds is not speeds:
        is_known = kept is not None and kept.speeds == speeds
        kept = replace(kept, speeds=speeds) if kept is not None and is_known else _added_up(model, speeds)
        model.memo["foretelling"] = kept
    return kept


def _added_up(model: Model, speeds: Throughputs) -> _Foretelling:
    work = work_of(model.facts)
    seconds = tuple(_seconds(work, device) for device in (speeds.host, *speeds.gpus))
    return _Foretelling(model, speeds, seconds, queries_of(model.facts, model.caches))


def _seconds(work: Work, device: Throughput) -> _Seconds:
    rates = device.rates
    expert_bytes = sum(work.each(lambda layer: sum(layer.experts.values()))) or 1
    return _Seconds(
        running(work.each(lambda layer: decode_s(layer.every, rates))),
        _read_sums(work, rates),
        sum(work.each(lambda layer: decode_s(layer.experts, rates))) / expert_bytes,
        sum(work.each(lambda layer: prefill_s(layer.experts, rates))) / expert_bytes,
        decode_s(work.output, rates),
        device,
    )


def _read_sums(work: Work, rates: Mapping[str, Rate]) -> Sums:
    """Return running sums of the seconds of a token of a prompt; the last layer's feed-forward part is spared."""
    sums = running(work.each(lambda layer: prefill_s(layer.every, rates)))
    return (*sums[:-1], sums[-1] - prefill_s(work.last_ffn, rates))


def _places(foretelling: _Foretelling, candidate: Candidate) -> list[_Place]:
    """Return what lies where; devices with nothing to do are left out."""
    model = foretelling.model
    spans: Spans = spans_of(candidate, model.n_layers, len(foretelling.speeds.gpus))
    weights, expert_sums, moved_sums = model.layer_totals(candidate)[HOST_PADDING]
    share = model.expert_share

    def place(known: _Seconds, span: Span, is_host: bool) -> _Place:
        experts = expert_sums[span.end] - expert_sums[span.start]
        moved = moved_sums[span.end] - moved_sums[span.start]
        used = share * (experts - moved + (moved_sums[-1] if is_host else 0))
        dense = weights[span.end] - weights[span.start] - experts
        return _Place(known, is_host and bool(spans.gpus), span, dense, used)

    host, *gpus = foretelling.seconds
    placed = [place(host, spans.host, True), *(place(*each, False) for each in zip(gpus, spans.gpus, strict=True))]
    return [place for place in placed if place.span.blocks or place.span.has_output or place.expert_bytes]


def _decode_s(foretelling: _Foretelling, candidate: Candidate, places: list[_Place], task: _Task) -> float:
    """Return the seconds of one token of the answer."""
    seconds = ENGINE_TOKEN_S + foretelling.model.facts.n_vocab * ENGINE_VOCABULARY_S
    look_back = _look_back(foretelling, candidate, task.decode_tokens)
    for known, _, span, _, expert_bytes in places:
        pace = known.device.pace
        seconds += known.decode[span.end] - known.decode[span.start] + expert_bytes * known.expert_decode
        seconds += (look_back[span.end] - look_back[span.start]) * pace.attention_decode_s
        seconds += pace.token_s + span.blocks * pace.layer_s + (known.output if span.has_output else 0.0)
    return seconds


def _prefill_s(foretelling: _Foretelling, candidate: Candidate, places: list[_Place], task: _Task) -> float:
    """Return the seconds of one token of a prompt that is read in pieces."""
    look_back = _look_back(foretelling, candidate, task.prefill_tokens)
    pieces = 1 / min(PIECE_TOKENS, task.prompt_tokens)
    seconds = ENGINE_TOKEN_S / task.prompt_tokens
    for place in places:
        known, span, pace = place.known, place.span, place.known.device.pace
        part = _multiply_s(place, known)
        if place.is_helped:
            # Weights in main memory are copied to the GPU for each piece.
            host_bytes = place.dense_bytes + place.expert_bytes / foretelling.model.expert_share
            part = min(part, host_bytes / PCIE_BYTES_PER_S * pieces + _multiply_s(place, foretelling.seconds[1]))
        seconds += part + (look_back[span.end] - look_back[span.start]) * pace.attention_prefill_s
        seconds += (pace.token_s + span.blocks * pace.layer_s) * pieces
        seconds += known.output / task.prompt_tokens if span.has_output else 0.0
    # Other pieces than the fastest cost something, how much is not known well: it only decides between equals.
    fastest = foretelling.speeds.n_ubatch
    return seconds * (1 + 2e-4 * max(fastest, candidate.n_ubatch) / max(1, min(fastest, candidate.n_ubatch)))


def _multiply_s(place: _Place, known: _Seconds) -> float:
    span = place.span
    return known.prefill[span.end] - known.prefill[span.start] + place.expert_bytes * known.expert_prefill


def _look_back(foretelling: _Foretelling, candidate: Candidate, tokens: float) -> Sums:
    context, sums = min(candidate.context, tokens), foretelling.look_back
    if (context, tokens) not in sums:
        sums[context, tokens] = foretelling.queries.look_back(context, tokens)
    return sums[context, tokens]
