"""Mistral Small 3.1 and 3.2, Ministral 3: HF Ministral3ForCausalLM, and within Mistral3ForConditionalGeneration.

Source: HF modeling_mistral3.py, modeling_ministral3.py; llama.cpp conversion/mistral3.py, src/models/mistral3.cpp.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from converters.errors import BadCheckpoint
from converters.families.base import Family
from converters.families.llama import Llama
from converters.families.mistral4 import Mistral4
from converters.families.multimodal import OTHER_SENSES, TEXT_PREFIXES
from converters.families.rope import rope_number
from converters.jsonfile import JsonObject
from converters.values import Value, f32

_MINISTRAL_ROPE: Mapping[str, Any] = {
    "beta_fast": 32.0, "beta_slow": 1.0, "factor": 16.0, "llama_4_scaling_beta": 0.1, "mscale": 1.0,
    "mscale_all_dim": 1.0, "original_max_position_embeddings": 16384, "rope_theta": 1000000.0, "rope_type": "yarn",
}  # fmt: skip
_MINISTRAL_DEFAULTS: JsonObject = {
    "head_dim": 128, "max_position_embeddings": 262144, "rms_norm_eps": 1e-5, "rope_parameters": _MINISTRAL_ROPE,
}  # fmt: skip
_MISTRAL_DEFAULTS: JsonObject = {"max_position_embeddings": 131072, "rms_norm_eps": 1e-6, "rope_theta": 10000.0}


@dataclass(frozen=True)
class Mistral3(Llama):
    """A Llama; Ministral's queries grow with the position, and its YaRN scales the attention."""

    ARCHITECTURE = "mistral3"
    DEFAULTS: ClassVar[JsonObject] = {}
    DROPPED: ClassVar[tuple[str, ...]] = (*Llama.DROPPED, *OTHER_SENSES)
    PREFIXES: ClassVar[Mapping[str, str]] = TEXT_PREFIXES

    @classmethod
    def variant(cls, config: JsonObject) -> type[Family]:
        """Give this class, or Mistral4 for a text model of that kind."""
        return Mistral4 if config.get("model_type") == "mistral4" else cls

    @classmethod
    def completed(cls, config: JsonObject, names: Collection[str]) -> JsonObject:
        """Add the defaults of the text model's own class."""
        return {**(_MINISTRAL_DEFAULTS if _is_ministral(config) else _MISTRAL_DEFAULTS), **config}

    def check(self) -> None:
        """Refuse a Ministral whose rotary settings are not those that its class knows."""
        super().check()
        if _is_ministral(self.config) and self.rope.get("rope_type") != "yarn":
            raise BadCheckpoint(f"config.json: a Ministral of rope_type {self.rope.get('rope_type')!r} is not known.")

    def metadata(self) -> dict[str, Value]:
        """Give Llama's keys, and how Ministral scales its attention."""
        if not _is_ministral(self.config):
            return super().metadata()
        a = self.ARCHITECTURE
        return super().metadata() | {
            f"{a}.rope.scaling.yarn_log_multiplier": f32(rope_number(self.rope, "mscale_all_dim")),
            f"{a}.attention.temperature_scale": f32(rope_number(self.rope, "llama_4_scaling_beta")),
        }


def _is_ministral(config: Mapping[str, Any]) -> bool:
    return config.get("model_type") == "ministral3"
