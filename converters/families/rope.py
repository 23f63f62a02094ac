"""Reads the rotary settings of config.json, old form (rope_theta, rope_scaling) and new (rope_parameters).

Source: llama.cpp conversion/base.py, TextModel.__init__ and set_gguf_parameters."""

import math
from collections.abc import Mapping
from typing import Any

from converters.errors import BadCheckpoint, UnsupportedModel
from converters.families.config import find
from converters.jsonfile import JsonObject
from converters.transforms import Llama3Rope
from converters.values import Value, f32, i32s, text, u32

Rope = JsonObject
_GLOBAL_THETA = ("global_rope_theta", "rope_global_theta", "rope_theta_global", "rope_theta", "rotary_emb_base")
_LOCAL_THETA = ("local_rope_theta", "rope_local_theta", "rope_theta_local", "swa_rope_theta", "rope_local_base_freq")
_MROPE_AXES = 4  # time, height, width, extra


def rope_settings(config: Mapping[str, Any]) -> Rope:
    """Join the places that hold rotary settings into one object.

    Either {rope_type, rope_theta, …, sliding_attention: {rope_theta}} or, as newer configs have it, one object for each
    of full_attention and sliding_attention."""
    stated = config.get("rope_parameters", config.get("rope_scaling")) or {}
    if not isinstance(stated, Mapping):
        raise BadCheckpoint(f"config.json: the rotary settings are {str(stated)[:80]!r}, not an object.")
    rope = dict(stated)
    if "full_attention" in rope or "sliding_attention" in rope:
        return rope
    if (local := find(config, *_LOCAL_THETA)) is not None:
        rope["sliding_attention"] = {"rope_theta": local}
    more = {
        "rope_theta": find(config, *_GLOBAL_THETA),
        "rope_type": rope.get("type"),
        "partial_rotary_factor": find(config, "partial_rotary_factor", "rope_pct", "rope_percent"),
        "original_max_position_embeddings": config.get("original_max_position_embeddings"),
    }
    return {key: value for key, value in more.items() if value is not None} | rope


def full_attention(rope: Rope) -> Rope:
    """Give the settings of the layers that see everything."""
    inner = rope.get("full_attention", rope)
    return inner if isinstance(inner, dict) else {}


def rope_metadata(architecture: str, rope: Rope) -> dict[str, Value]:
    """Give the rope.* keys; raises UnsupportedModel for a scaling that is not known."""
    full = full_attention(rope)
    values = _scaling(f"{architecture}.rope.scaling", full)
    if (sections := rope.get("mrope_section")) is not None:
        values[f"{architecture}.rope.dimension_sections"] = i32s(_sections(sections))
    if full.get("rope_theta") is not None:
        values[f"{architecture}.rope.freq_base"] = f32(rope_number(full, "rope_theta"))
    sliding = rope.get("sliding_attention")
    if isinstance(sliding, dict) and sliding.get("rope_theta") is not None:
        values[f"{architecture}.rope.freq_base_swa"] = f32(rope_number(sliding, "rope_theta"))
    return values


def llama3_rope(rope: Rope) -> Llama3Rope | None:
    """Give the parameters of rope_type llama3, or None for any other type."""
    if str(rope.get("rope_type", "")).lower() != "llama3":
        return None
    return Llama3Rope(
        theta=rope_number(rope, "rope_theta", 10000.0),
        factor=rope_number(rope, "factor", 8.0),
        low_freq_factor=rope_number(rope, "low_freq_factor", 1.0),
        high_freq_factor=rope_number(rope, "high_freq_factor", 4.0),
        original_context=int(rope_number(rope, "original_max_position_embeddings", 8192)),
    )


def rope_number(rope: Rope, key: str, default: float | None = None) -> float:
    """Give one number of the rotary settings; raises BadCheckpoint when it is missing or none."""
    value = rope.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise BadCheckpoint(f"config.json: the rotary setting {key} is {value!r}, not a number.")
    return float(value)


def _scaling(prefix: str, rope: Rope) -> dict[str, Value]:
    kind = str(rope.get("rope_type") or "default").lower()
    if kind in ("default", "llama3", "dynamic", "mrope", "proportional"):  # made into a tensor, or nothing to say
        return {}
    if kind in ("su", "longrope"):
        return {f"{prefix}.type": text("longrope")}
    if kind == "linear":
        return {f"{prefix}.type": text("linear"), f"{prefix}.factor": f32(rope_number(rope, "factor"))}
    if kind == "yarn":
        return _yarn(prefix, rope)
    raise UnsupportedModel(f"config.json asks for rope_type {kind!r}, which the converter does not know.")


def _yarn(prefix: str, rope: Rope) -> dict[str, Value]:
    values = {
        f"{prefix}.type": text("yarn"),
        f"{prefix}.factor": f32(rope_number(rope, "factor")),
        f"{prefix}.original_context_length": u32(int(rope_number(rope, "original_max_position_embeddings"))),
    }
    optional = {"yarn_ext_factor": ("extrapolation_factor",), "yarn_attn_factor": ("attention_factor", "attn_factor"),
                "yarn_beta_fast": ("beta_fast",), "yarn_beta_slow": ("beta_slow",)}  # fmt: skip
    for name, keys in optional.items():
        key = next((key for key in keys if rope.get(key) is not None), None)
        if key is not None:
            values[f"{prefix}.{name}"] = f32(rope_number(rope, key))
    return values


def _sections(stated: Any) -> list[int]:
    if not isinstance(stated, list) or not all(type(length) is int for length in stated):
        raise BadCheckpoint(f"config.json: mrope_section is {str(stated)[:80]!r}, not a list of numbers.")
    return (stated + [0] * _MROPE_AXES)[:_MROPE_AXES]
