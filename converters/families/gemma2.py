"""Gemma 2: HF Gemma2ForCausalLM, GGUF architecture "gemma2".

Source: HF modeling_gemma2.py; llama.cpp conversion/gemma.py.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from converters.families.base import Target, size
from converters.families.decoder import ATTENTION, FEED_FORWARD, block_names
from converters.families.gemma import TOKENIZER_VALUES, Gemma
from converters.jsonfile import JsonObject
from converters.values import Value, f32, u32

SANDWICH_NORMS = block_names({"input_layernorm": "attn_norm", "post_attention_layernorm": "post_attention_norm",
    "pre_feedforward_layernorm": "ffn_norm", "post_feedforward_layernorm": "post_ffw_norm"})  # fmt: skip
EMBEDDINGS = {"model.embed_tokens.weight": "token_embd.weight", "model.norm.weight": "output_norm.weight"}


@dataclass(frozen=True)
class Gemma2(Gemma):
    """Gemma with norms on both sides of every part, capped scores, and a window in every other layer."""

    ARCHITECTURE = "gemma2"
    DEFAULTS: ClassVar[JsonObject] = Gemma.DEFAULTS | {
        "num_attention_heads": 8, "num_key_value_heads": 4, "sliding_window": 4096,
        "attn_logit_softcapping": 50.0, "final_logit_softcapping": 30.0,
    }  # fmt: skip
    TENSORS: ClassVar[Mapping[str, Target]] = {**EMBEDDINGS, **SANDWICH_NORMS, **ATTENTION, **FEED_FORWARD}

    n_window: int = size("sliding_window")
    attention_cap: float = size("attn_logit_softcapping")
    final_cap: float = size("final_logit_softcapping")

    def metadata(self) -> dict[str, Value]:
        """Give the keys of the architecture."""
        return super().metadata() | {
            "gemma2.attn_logit_softcapping": f32(self.attention_cap),
            "gemma2.final_logit_softcapping": f32(self.final_cap),
            "gemma2.attention.sliding_window": u32(self.n_window),
        }

    def tokenizer_values(self, tokenizer_config: JsonObject) -> dict[str, Value]:
        """Text starts without a space."""
        return TOKENIZER_VALUES

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Give the shape of the usual weights and of the additional norms."""
        return super().shapes() | dict.fromkeys(SANDWICH_NORMS.values(), (self.n_embd,))
