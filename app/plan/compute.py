"""A pessimistic bound for llama.cpp's compute buffers; it only stands where no dry run answers.

The real figure depends on the order in which the graph's tensors live and die; research shows it is not even affine
in the context, so this bound is on the safe side and never shown as exact.
"""

from typing import NamedTuple

from app.library.facts import ModelFacts
from app.plan.kv import cells_of
from app.plan.model import Model
from app.plan.values import Candidate

MARGIN_BYTES = 24 * 2**20
PIPELINE_COPIES = 4  # GGML_SCHED_MAX_COPIES
F32 = 4
F16 = 2


class Buffers(NamedTuple):
    """Bounds of the parts of compute buffers: of a device that runs layers, of the outputs, of a host that runs none,
    and of what each device needs more when llama.cpp runs several GPUs as a pipeline.

    It does that when all layers are on GPUs and nothing is overridden (llama-context.cpp, pipeline_parallel).
    """

    running_bytes: int
    outputs_bytes: int
    idle_bytes: int
    pipeline_bytes: int


def buffers_of(model: Model, candidate: Candidate) -> Buffers:
    """Return the bounds for candidates of this context, cache and size of prompt pieces."""
    wishes = (candidate.context, candidate.kv_type, candidate.n_ubatch, candidate.parallel, candidate.n_outputs_max)
    key = ("buffers", wishes)
    if key not in model.memo:
        model.memo[key] = _buffers(model, candidate)
    buffers: Buffers = model.memo[key]
    return buffers


def _buffers(model: Model, candidate: Candidate) -> Buffers:
    tokens, attention = candidate.n_ubatch, _attention_bytes(model, candidate)
    inputs = tokens * int(model.facts.hyperparameter("embedding_length", 0)) * 2 * F32
    outputs = min(tokens, max(1, candidate.n_outputs_max))
    return Buffers(
        running_bytes=MARGIN_BYTES + tokens * _width(model) * F32 + attention,
        outputs_bytes=model.facts.n_vocab * outputs * F32,
        idle_bytes=MARGIN_BYTES + inputs + attention,
        pipeline_bytes=(PIPELINE_COPIES - 1) * (attention + inputs),
    )


def _width(model: Model) -> int:
    if "width" not in model.memo:
        model.memo["width"] = _widest(model.facts)
    width: int = model.memo["width"]
    return width


def _widest(facts: ModelFacts) -> int:
    """Return how many numbers a token has alive at the widest place of a layer."""

    def number(key: str) -> int:
        value = facts.hyperparameter(key, 0)
        return int(max(value) if isinstance(value, tuple) else value or 0)

    embd = number("embedding_length")
    heads = number("attention.head_count")
    head = max(number("attention.key_length"), embd // heads if heads else 0)
    experts = number("expert_used_count") * (number("expert_feed_forward_length") * 3 + embd)
    ffn = max(number("feed_forward_length") * 3, experts)
    recurrent = number("ssm.inner_size") * 4
    return 4 * embd + max(ffn, heads * head * 4, recurrent)


def _attention_bytes(model: Model, candidate: Candidate) -> int:
    """Return masks (one for each width of cache) and, with a quantized cache, one layer's K and V as f16."""
    keeping = [(cells_of(cache, candidate), cache) for cache in model.distinct_caches if cache.k_width]
    mask = sum({cells for cells, _ in keeping}) * candidate.n_ubatch * (F16 + F32)
    if candidate.kv_type == "f16":
        return mask
    return mask + max((cells * (cache.k_width + cache.v_width) * F16 for cells, cache in keeping), default=0)
