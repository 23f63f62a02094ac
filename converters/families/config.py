"""Reads numbers out of config.json, wherever its makers have put them."""

from collections.abc import Mapping, Sequence
from typing import Any

from converters.errors import BadCheckpoint
from converters.values import Value, f32, flag, text, u32

Config = Mapping[str, Any]
_MOST = 3.4028234663852886e38  # the largest float32: a file holds no larger number


def find(config: Config, *keys: str) -> Any:
    """Give the first of the keys that config.json has with a value; None when there is none."""
    return next((config[key] for key in keys if config.get(key) is not None), None)


def number(config: Config, *keys: str, default: float | None = None) -> float:
    """Give the number under the first of the keys, finite as a float32; raises BadCheckpoint where there is no such."""
    value = find(config, *keys)
    value = default if value is None else value
    if value is None:
        raise BadCheckpoint(
            f"config.json has no {keys[0]}.", hint="The model's config is not complete: download it again."
        )
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= _MOST:
        raise BadCheckpoint(f"config.json: {keys[0]} is {str(value)[:80]!r}, which makes no sense there.")
    return value


def whole(config: Config, *keys: str, default: int | None = None) -> int:
    """Give a whole number of 0 or more under the first of the keys; raises BadCheckpoint otherwise."""
    value = number(config, *keys, default=default)
    if not isinstance(value, int) or not 0 <= value < 1 << 31:
        raise BadCheckpoint(f"config.json: {keys[0]} is {value!r}, which makes no sense there.")
    return value


def wholes(config: Config, key: str, length: int) -> list[int]:
    """Give one whole number for each layer; a single number stands for all."""
    value = config.get(key)
    if isinstance(value, Sequence) and not isinstance(value, str):
        if len(value) != length:
            raise BadCheckpoint(f"config.json: {key} has {len(value)} entries for {length} layers.")
        return [whole({key: entry}, key) for entry in value]
    return [whole(config, key)] * length


def words(config: Config, key: str, length: int) -> list[str] | None:
    """Give one word for each layer (layer_types), or None when config.json has none."""
    value = config.get(key)
    if value is None:
        return None
    if not isinstance(value, list) or len(value) != length or not all(isinstance(word, str) for word in value):
        raise BadCheckpoint(f"config.json: {key} does not name one kind for each of {length} layers.")
    return value


def slides(config: Config, n_layer: int, period: int) -> list[bool]:
    """Tell which layers see a window only: by layer_types, else all but every period-th.

    config.json may state another period as sliding_window_pattern."""
    kinds = words(config, "layer_types", n_layer)
    if kinds is not None:
        return [kind == "sliding_attention" for kind in kinds]
    period = max(1, whole(config, "sliding_window_pattern", default=period))
    return [bool((i + 1) % period) for i in range(n_layer)]


_EXPERT_GATING = {"softmax": 1, "sigmoid": 2, "sqrtsoftplus": 4}  # llama.cpp src/llama-hparams.h, gating_func
_COUNTS = {
    "context_length": ("max_position_embeddings", "n_ctx", "n_positions", "max_length", "max_sequence_length",
                       "model_max_length"),
    "embedding_length": ("hidden_size", "n_embd", "dim"),
    "feed_forward_length": ("prefix_dense_intermediate_size", "dense_intermediate_size", "intermediate_size",
                            "n_inner", "hidden_dim"),
    "attention.head_count": ("num_attention_heads", "n_head", "n_heads"),
    "attention.head_count_kv": ("num_key_value_heads", "n_kv_heads"),
    "expert_count": ("num_local_experts", "num_experts", "n_routed_experts"),
    "expert_used_count": ("num_experts_per_tok", "num_experts_per_token", "top_k_experts"),
    "expert_group_count": ("n_group",),
    "expert_group_used_count": ("topk_group",),
}  # fmt: skip
_FLOATS = {
    "attention.layer_norm_rms_epsilon": ("rms_norm_eps", "norm_eps"),
    "attention.layer_norm_epsilon": ("layer_norm_eps", "layer_norm_epsilon", "norm_epsilon"),
}


def text_metadata(architecture: str, config: Config, n_block: int) -> dict[str, Value]:
    """Give the keys that every text model has, of what config.json states; rotary keys are in rope.py.

    Source: llama.cpp conversion/base.py, TextModel.set_gguf_parameters."""
    values = {f"{architecture}.block_count": u32(n_block)}
    for key, names in _COUNTS.items():
        value = find(config, *names)
        if type(value) is int:  # a list stands for layers that differ: the family's own business
            values[f"{architecture}.{key}"] = u32(whole(config, *names))
    for key, names in _FLOATS.items():
        if find(config, *names) is not None:
            values[f"{architecture}.{key}"] = f32(number(config, *names))
    if config.get("is_causal") is False:
        values[f"{architecture}.attention.causal"] = flag(False)
    if config.get("head_dim") is not None:
        for key in ("key_length", "value_length"):
            values[f"{architecture}.attention.{key}"] = u32(whole(config, "head_dim"))
    return values | _gating(architecture, config)


def _gating(architecture: str, config: Config) -> dict[str, Value]:
    name = find(config, "score_function", "scoring_func", "score_func", "moe_router_activation",
                "moe_router_activation_func", "expert_selection_fn")  # fmt: skip
    if name is None:
        return {}
    if not isinstance(name, str) or name not in _EXPERT_GATING:
        raise BadCheckpoint(f"config.json: experts are chosen by {str(name)[:80]!r}, which is not known.")
    return {f"{architecture}.expert_gating_func": u32(_EXPERT_GATING[name])}


__all__ = ["Config", "find", "number", "text", "text_metadata", "whole", "wholes", "words"]
