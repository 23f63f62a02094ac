"""Gemma 3: HF Gemma3ForCausalLM and the text part of Gemma3ForConditionalGeneration, GGUF architecture "gemma3".

Source: HF modeling_gemma3.py, configuration_gemma3.py; llama.cpp conversion/gemma.py, src/models/gemma3.cpp.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from converters.errors import UnsupportedModel
from converters.families.base import Family, Target, size
from converters.families.config import slides
from converters.families.decoder import ATTENTION, FEED_FORWARD, QK_NORMS
from converters.families.gemma import TOKENIZER_VALUES, Gemma
from converters.families.gemma2 import EMBEDDINGS, SANDWICH_NORMS
from converters.jsonfile import JsonObject
from converters.values import Value, f32, flags, u32

LANGUAGE_MODEL = {"language_model.model.": "model.", "language_model.lm_head.": "lm_head.",
                  "model.language_model.": "model."}  # fmt: skip
SENSES = (r"(model\.)?(vision|audio)_tower\..*", r"(model\.)?(multi_modal_projector|embed_(vision|audio))\..*")
_PERIOD = 6  # llama.cpp's own: every sixth layer sees everything


@dataclass(frozen=True)
class Gemma3(Gemma):
    """Gemma with norms on both sides of every part and in the heads, and a window in most layers."""

    ARCHITECTURE = "gemma3"
    DEFAULTS: ClassVar[JsonObject] = Gemma.DEFAULTS | {
        "num_attention_heads": 8, "num_key_value_heads": 4, "max_position_embeddings": 131072, "vocab_size": 262208,
        "sliding_window": 4096, "rope_theta": 1e6, "rope_local_base_freq": 1e4, "tie_word_embeddings": True,
    }  # fmt: skip
    TENSORS: ClassVar[Mapping[str, Target]] = {
        **EMBEDDINGS, "lm_head.weight": "output.weight", **SANDWICH_NORMS, **QK_NORMS, **ATTENTION, **FEED_FORWARD
    }  # fmt: skip
    DROPPED = (*Family.DROPPED, *SENSES)
    PREFIXES = LANGUAGE_MODEL
    VOCAB_ROWS = frozenset({"token_embd.weight", "output.weight"})

    n_window: int = size("sliding_window")
    final_cap: float = size("final_logit_softcapping", 0.0)

    def check(self) -> None:
        """Refuse what llama.cpp's Gemma 3 does not do."""
        super().check()
        for key in ("attn_logit_softcapping", "use_bidirectional_attention"):
            if self.config.get(key):
                raise UnsupportedModel(f"config.json asks for {key}, which llama.cpp's {self.ARCHITECTURE} has not.")

    @property
    def sliding(self) -> list[bool]:
        """Whether each layer sees no more than the window."""
        return slides(self.config, self.n_layer, _PERIOD)

    def metadata(self) -> dict[str, Value]:
        """Give the keys of the architecture; which layers slide, where it is not as usual."""
        values, a, sliding = super().metadata(), self.ARCHITECTURE, self.sliding
        if self.final_cap:
            values[f"{a}.final_logit_softcapping"] = f32(self.final_cap)
        if any(sliding):
            values[f"{a}.attention.sliding_window"] = u32(self.n_window)
        if any(sliding) and sliding != slides({}, self.n_layer, _PERIOD):
            values[f"{a}.attention.sliding_window_pattern"] = flags(sliding)
        return values

    def tokenizer_values(self, tokenizer_config: JsonObject) -> dict[str, Value]:
        """Text starts without a space."""
        return TOKENIZER_VALUES

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Give the shape of the usual weights and of the additional norms."""
        norms = dict.fromkeys(SANDWICH_NORMS.values(), (self.n_embd,))
        return super().shapes() | norms | dict.fromkeys(QK_NORMS.values(), (self.head_dim,))
