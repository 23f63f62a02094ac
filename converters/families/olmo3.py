"""OLMo 3: HF Olmo3ForCausalLM, GGUF architecture "olmo2" with a sliding window.

Source: HF modeling_olmo3.py, configuration_olmo3.py; llama.cpp conversion/olmo.py, src/models/olmo2.cpp.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import ClassVar

from converters.families.base import size
from converters.families.config import words
from converters.families.olmo2 import Olmo2
from converters.families.rope import rope_settings
from converters.jsonfile import JsonObject
from converters.values import Value, flags, u32

_FULL_EVERY = 4


@dataclass(frozen=True)
class Olmo3(Olmo2):
    """OLMo 2 with three layers of four that see a window; only the fourth's rotary embedding is stretched."""

    DEFAULTS: ClassVar[JsonObject] = Olmo2.DEFAULTS | {"sliding_window": 4096}

    n_swa: int = size("sliding_window")

    @classmethod
    def completed(cls, config: JsonObject, names: Collection[str]) -> JsonObject:
        """Give the rotary settings by kind of layer; older configs state them once, for the layers that see all."""
        rope = rope_settings(config)
        if "full_attention" in rope:
            return config
        theta = rope.get("rope_theta", 500000.0)
        kinds = {"full_attention": rope, "sliding_attention": {"rope_type": "default", "rope_theta": theta}}
        return config | {"rope_parameters": kinds}

    def metadata(self) -> dict[str, Value]:
        """Give the keys of OLMo 2, and which layers see a window of how many tokens."""
        kinds = words(self.config, "layer_types", self.n_layer)
        if kinds is None:
            kinds = [
                "full_attention" if (i + 1) % _FULL_EVERY == 0 else "sliding_attention" for i in range(self.n_layer)
            ]
        return super().metadata() | {
            "olmo2.attention.sliding_window": u32(self.n_swa),
            "olmo2.attention.sliding_window_pattern": flags([kind == "sliding_attention" for kind in kinds]),
        }
