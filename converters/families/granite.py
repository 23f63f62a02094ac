"""Granite, beside what hears or sees too: HF GraniteForCausalLM, GGUF architecture "granite".

Source: HF modeling_granite.py; llama.cpp conversion/granite.py, src/models/granite.cpp.
"""

from dataclasses import dataclass
from typing import ClassVar

from converters.families.config import find, number
from converters.families.llama import Llama
from converters.jsonfile import JsonObject
from converters.values import Value, f32

_SCALES = {
    "attention.scale": "attention_multiplier",
    "embedding_scale": "embedding_multiplier",
    "residual_scale": "residual_multiplier",
    "logit_scale": "logits_scaling",
}


@dataclass(frozen=True)
class Granite(Llama):
    """Llama with four multipliers; head_dim in config.json has no meaning."""

    ARCHITECTURE = "granite"
    DROPPED = (*Llama.DROPPED, r"(encoder|projector)\..*", "image_newline")
    PRE_TOKENIZERS: ClassVar[tuple[str, ...]] = ("refact",)
    DEFAULTS: ClassVar[JsonObject] = Llama.DEFAULTS | dict.fromkeys(_SCALES.values(), 1.0)

    @property
    def head_dim(self) -> int:
        """Rows of one head in the projections."""
        return self.n_embd // self.n_head

    def metadata(self) -> dict[str, Value]:
        """Give the keys of Llama without the head's width, and the multipliers that are not zero."""
        a = self.ARCHITECTURE
        values = super().metadata()
        for key in ("key_length", "value_length"):
            del values[f"{a}.attention.{key}"]
        scales = {key: number(self.config, theirs) for key, theirs in _SCALES.items() if find(self.config, theirs)}
        return values | {f"{a}.{key}": f32(scale) for key, scale in scales.items()}
