"""A pessimistic bound for llama.cpp's compute buffers; it only stands where no dry run answers.

The real figure depends on the order in which the graph's tensors live and die; research shows it is not even affine
in the context, so this bound is on the safe side and never shown as exact.
"""

from app.library.facts import ModelFacts
from app.plan.kv import LayerCache, cells_of
from app.plan.values import Candidate

MARGIN_BYTES = 24 * 2**20
F32 = 4
F16 = 2


def device_compute_bytes(
    facts: ModelFacts, caches: tuple[LayerCache, ...], candidate: Candidate, moved_bytes: int, has_output: bool
) -> int:
    """Bound the compute buffer of a device that runs layers.

    moved_bytes: the largest tensor that stays in main memory but is copied here for long prompts (op_offload).
    """
    tokens = candidate.n_ubatch
    logits = facts.n_vocab * min(tokens, max(1, candidate.n_outputs_max)) * F32 if has_output else 0
    return MARGIN_BYTES + tokens * _wide(facts) * F32 + _attention(caches, candidate) + logits + moved_bytes


def host_compute_bytes(
    facts: ModelFacts, caches: tuple[LayerCache, ...], candidate: Candidate, runs_layers: bool
) -> int:
    """Bound the host's compute buffer: everything when it runs layers, else inputs, masks and outputs."""
    if runs_layers:
        return device_compute_bytes(facts, caches, candidate, 0, has_output=True)
    tokens = candidate.n_ubatch
    embd = int(facts.hyperparameter("embedding_length", 0))
    return MARGIN_BYTES + tokens * embd * 2 * F32 + _attention(caches, candidate)


def _wide(facts: ModelFacts) -> int:
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


def _attention(caches: tuple[LayerCache, ...], candidate: Candidate) -> int:
    """Return masks (one for each width of cache) and, with a quantized cache, one layer's K and V as f16."""
    widths = {cells_of(cache, candidate) for cache in caches if cache.k_width}
    mask = sum(pad_cells * candidate.n_ubatch * (F16 + F32) for pad_cells in widths)
    if candidate.kv_type == "f16":
        return mask
    return mask + max(
        (cells_of(cache, candidate) * (cache.k_width + cache.v_width) * F16 for cache in caches), default=0
    )
