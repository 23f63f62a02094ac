"""Reads the rotary settings of config.json, old form (rope_theta, rope_scaling) and new (rope_parameters)."""

from collections.abc import Mapping
from typing import Any

from converters.errors import BadCheckpoint, UnsupportedModel
from converters.jsonfile import JsonObject
from converters.transforms import Llama3Rope
from converters.values import Value, f32, text, u32

Rope = JsonObject


def rope_settings(
    rope_parameters: Mapping[str, Any] | None, rope_scaling: Mapping[str, Any] | None, theta: float | None
) -> Rope:
    """Join the three places that hold rotary settings into one object with rope_type and rope_theta.

    Source: llama.cpp conversion/base.py, TextModel.__init__."""
    settings = dict(rope_parameters or rope_scaling or {})
    if theta is not None:
        settings.setdefault("rope_theta", theta)
    if "type" in settings:
        settings.setdefault("rope_type", settings["type"])
    return settings


def rope_metadata(architecture: str, rope: Rope) -> dict[str, Value]:
    """Give the rope.* keys; raises UnsupportedModel for a scaling that is not known.

    Source: llama.cpp conversion/base.py, TextModel.set_gguf_parameters."""
    values = _scaling(f"{architecture}.rope.scaling", rope)
    if (theta := rope.get("rope_theta")) is not None:
        values[f"{architecture}.rope.freq_base"] = f32(_number(rope, "rope_theta", theta))
    return values


def llama3_rope(rope: Rope) -> Llama3Rope | None:
    """Give the parameters of rope_type llama3, or None for any other type."""
    if str(rope.get("rope_type", "")).lower() != "llama3":
        return None
    return Llama3Rope(
        theta=_number(rope, "rope_theta", 10000.0),
        factor=_number(rope, "factor", 8.0),
        low_freq_factor=_number(rope, "low_freq_factor", 1.0),
        high_freq_factor=_number(rope, "high_freq_factor", 4.0),
        original_context=int(_number(rope, "original_max_position_embeddings", 8192)),
    )


def _scaling(prefix: str, rope: Rope) -> dict[str, Value]:
    kind = str(rope.get("rope_type") or "default").lower()
    if kind in ("default", "llama3", "dynamic"):  # llama3 becomes rope_freqs.weight; dynamic has no key
        return {}
    if kind == "linear":
        return {f"{prefix}.type": text("linear"), f"{prefix}.factor": f32(_number(rope, "factor", None))}
    if kind == "yarn":
        return _yarn(prefix, rope)
    raise UnsupportedModel(f"config.json asks for rope_type {kind!r}, which the converter does not know.")


def _yarn(prefix: str, rope: Rope) -> dict[str, Value]:
    values = {
        f"{prefix}.type": text("yarn"),
        f"{prefix}.factor": f32(_number(rope, "factor", None)),
        f"{prefix}.original_context_length": u32(int(_number(rope, "original_max_position_embeddings", None))),
    }
    optional = {"extrapolation_factor": "yarn_ext_factor", "attention_factor": "yarn_attn_factor",
                "beta_fast": "yarn_beta_fast", "beta_slow": "yarn_beta_slow"}  # fmt: skip
    for key, name in optional.items():
        if rope.get(key) is not None:
            values[f"{prefix}.{name}"] = f32(_number(rope, key, None))
    return values


def _number(rope: Rope, key: str, default: Any) -> float:
    value = rope.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadCheckpoint(f"config.json: the rotary setting {key} is {value!r}, not a number.")
    return float(value)
