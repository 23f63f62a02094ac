"""GLM-4.5, 4.6 and 4.7, and the text part of GLM-4.5V: HF Glm4MoeForCausalLM and Glm4vMoeForConditionalGeneration.

GGUF architecture "glm4moe". Source: HF modeling_glm4_moe.py; llama.cpp conversion/glm.py, src/models/glm4-moe.cpp.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from converters.families.base import Target
from converters.families.decoder import ATTENTION, EMBEDDINGS, QK_NORMS, QKV_BIASES, block_names
from converters.families.glm4 import Glm4
from converters.families.leading_dense import LAYERS, OPTIONAL_NEXTN, LeadingDense
from converters.families.rope import rope_number
from converters.jsonfile import JsonObject
from converters.values import Value, u32

_NORMS = {"input_layernorm": "attn_norm", "post_attention_layernorm": "post_attention_norm"}
GLM_TOKENS = {"bos": "[gMASK]", "unk": "<|endoftext|>", "eot": "<|user|>", "eom": "<|observation|>"}


@dataclass(frozen=True)
class Glm4Moe(LeadingDense):
    """A decoder with experts chosen by a sigmoid, half of each head rotary, and a layer for a further token."""

    ARCHITECTURE = "glm4moe"
    DEFAULTS: ClassVar[JsonObject] = {
        "first_k_dense_replace": 1, "max_position_embeddings": 131072, "n_routed_experts": 128, "n_shared_experts": 1,
        "norm_topk_prob": True, "num_experts_per_tok": 8, "n_group": 1, "topk_group": 1, "partial_rotary_factor": 0.5,
        "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "routed_scaling_factor": 1.0, "scoring_func": "sigmoid",
    }  # fmt: skip
    TENSORS: ClassVar[Mapping[str, Target]] = {
        **EMBEDDINGS, **ATTENTION, **QKV_BIASES, **QK_NORMS, **block_names(_NORMS), **LAYERS,
    }  # fmt: skip
    OPTIONAL = frozenset(QKV_BIASES) | frozenset(QK_NORMS) | OPTIONAL_NEXTN
    DROPPED = Glm4.DROPPED
    PREFIXES = Glm4.PREFIXES
    TOKENIZERS = ("bpe",)
    PRE_TOKENIZERS = Glm4.PRE_TOKENIZERS
    SPECIAL_TOKENS: ClassVar[Mapping[str, str]] = GLM_TOKENS

    def metadata(self) -> dict[str, Value]:
        """Give the usual keys, and how many rows of a head are rotary."""
        n_rot = int(self.head_dim * rope_number(self.rope, "partial_rotary_factor", 0.5))
        return super().metadata() | {f"{self.ARCHITECTURE}.rope.dimension_count": u32(n_rot)}

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Give the shape of every weight."""
        return super().shapes() | {
            "blk.{i}.post_attention_norm.weight": (self.n_embd,),
            "blk.{i}.attn_q_norm.weight": (self.head_dim,),
            "blk.{i}.attn_k_norm.weight": (self.head_dim,),
        }
