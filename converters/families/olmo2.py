"""OLMo 2: HF Olmo2ForCausalLM, GGUF architecture "olmo2".

Source: HF modeling_olmo2.py; llama.cpp conversion/olmo.py, src/models/olmo2.cpp.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from converters.families.base import Target
from converters.families.decoder import ATTENTION, EMBEDDINGS, FEED_FORWARD, QK_NORMS, Decoder, block_names
from converters.jsonfile import JsonObject

_NORMS = {"post_attention_layernorm": "post_attention_norm", "post_feedforward_layernorm": "post_ffw_norm"}


@dataclass(frozen=True)
class Olmo2(Decoder):
    """A decoder whose norms follow attention and feed-forward, and span all heads of queries and keys."""

    ARCHITECTURE = "olmo2"
    DEFAULTS: ClassVar[JsonObject] = {
        "max_position_embeddings": 2048, "rms_norm_eps": 1e-5, "rope_theta": 10000.0,
    }  # fmt: skip
    TENSORS: ClassVar[Mapping[str, Target]] = {
        **EMBEDDINGS, **ATTENTION, **QK_NORMS, **FEED_FORWARD, **block_names(_NORMS),
    }  # fmt: skip
    TOKENIZERS = ("bpe",)
    PRE_TOKENIZERS = ("dbrx",)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Give the shape of every weight; the heads' norms are as wide as all heads."""
        return super().shapes() | {
            "blk.{i}.attn_q_norm.weight": (self.n_head * self.head_dim,),
            "blk.{i}.attn_k_norm.weight": (self.n_head_kv * self.head_dim,),
            "blk.{i}.post_attention_norm.weight": (self.n_embd,),
            "blk.{i}.post_ffw_norm.weight": (self.n_embd,),
        }
