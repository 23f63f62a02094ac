"""A pessimistic bound for llama.cpp's compute buffers; it only stands where no dry run answers.

The real figure depends on the order in which the graph's tensors live and die; research shows it is not even affine
in the context, so this bound is on the safe side and never shown as exact.
"""

from app.library.facts import ModelFacts
from app.plan.kv import cells_of
from app.plan.model import Model
from app.plan.values import Candidate

MARGIN_BYTES = 24 * 2**20
PIPELINE_COPIES = 4  # GGML_SCHED_MAX_COPIES
F32 = 4
F16 = 2


def device_compute_bytes(model: Model, candidate: Candidate, copied_bytes: int, has_output: bool) -> int:
    """Bound the compute buffer of a device that runs layers.

    copied_bytes: the largest tensor that stays in main memory but is copied here for long prompts (op_offload).
    """
    tokens = candidate.n_ubatch
    outputs = min(tokens, max(1, candidate.n_outputs_max)) if has_output else 0
    logits = model.facts.n_vocab * outputs * F32
    return MARGIN_BYTES + tokens * _width(model) * F32 + _attention(model, candidate) + logits + copied_bytes


def host_compute_bytes(model: Model, candidate: Candidate, runs_layers: bool) -> int:
    """Bound the host's compute buffer: everything when it runs layers, else inputs, masks and outputs."""
    if runs_layers:
        return device_compute_bytes(model, candidate, 0, has_output=True)
    embd = int(model.facts.hyperparameter("embedding_length", 0))
    return MARGIN_BYTES + candidate.n_ubatch * embd * 2 * F32 + _attention(model, candidate)


def pipeline_bytes(model: Model, candidate: Candidate) -> int:
    """Bound what each device needs more when llama.cpp runs several GPUs as a pipeline: four copies of every input.

    It does when all layers are on GPUs and nothing is overridden (llama-context.cpp, pipeline_parallel).
    """
    embd = int(model.facts.hyperparameter("embedding_length", 0))
    return (PIPELINE_COPIES - 1) * (_attention(model, candidate) + candidate.n_ubatch * embd * 2 * F32)


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


def _attention(model: Model, candidate: Candidate) -> int:
    """Return masks (one for each width of cache) and, with a quantized cache, one layer's K and V as f16."""
    key = ("attention", candidate.context, candidate.kv_type, candidate.n_ubatch, candidate.parallel)
    if key not in model.memo:
        model.memo[key] = _attention_bytes(model, candidate)
    size_bytes: int = model.memo[key]
    return size_bytes


def _attention_bytes(model: Model, candidate: Candidate) -> int:
    keeping = [(cells_of(cache, candidate), cache) for cache in model.distinct_caches if cache.k_width]
    mask = sum({cells for cells, _ in keeping}) * candidate.n_ubatch * (F16 + F32)
    if candidate.kv_type == "f16":
        return mask
    return mask + max((cells * (cache.k_width + cache.v_width) * F16 for cells, cache in keeping), default=0)
