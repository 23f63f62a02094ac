"""Mistral Small 4: HF Mistral4ForCausalLM, the text model of its kind of Mistral3ForConditionalGeneration.

GGUF architecture "mistral4". Source: HF modeling_mistral4.py; llama.cpp conversion/mistral3.py,
src/models/deepseek2.cpp.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from converters.families.base import Target
from converters.families.deepseek_v2 import DeepseekV2
from converters.families.rope import full_attention, rope_number
from converters.jsonfile import JsonObject
from converters.values import Value, f32, u32

_FUSED = {
    "model.layers.{i}.mlp.experts.gate_up_proj": "blk.{i}.ffn_gate_up_exps.weight",
    "model.layers.{i}.mlp.experts.down_proj": "blk.{i}.ffn_down_exps.weight",
}


@dataclass(frozen=True)
class Mistral4(DeepseekV2):
    """Latent attention and experts as in DeepSeek-V2; gates and ups of the experts stay one tensor."""

    ARCHITECTURE = "mistral4"
    DEFAULTS: ClassVar[JsonObject] = DeepseekV2.DEFAULTS | {
        "first_k_dense_replace": 0, "kv_lora_rank": 256, "max_position_embeddings": 1048576, "n_group": 1,
        "n_routed_experts": 128, "n_shared_experts": 1, "norm_topk_prob": True, "num_experts_per_tok": 4,
        "qk_nope_head_dim": 64, "topk_group": 1,
    }  # fmt: skip
    TENSORS: ClassVar[Mapping[str, Target]] = {
        **{theirs: ours for theirs, ours in DeepseekV2.TENSORS.items() if "{e}" not in theirs}, **_FUSED,
    }  # fmt: skip
    TOKENIZERS = ("tekken", "bpe")
    PRE_TOKENIZERS = ("tekken",)

    def metadata(self) -> dict[str, Value]:
        """Give the keys of DeepSeek-V2, and how queries grow with the position: llama.cpp's converter forgets that."""
        rope = full_attention(self.rope)
        if rope.get("llama_4_scaling_beta") is None:
            return super().metadata()
        length = int(rope_number(rope, "original_max_position_embeddings"))
        return super().metadata() | {
            "mistral4.attention.temperature_scale": f32(rope_number(rope, "llama_4_scaling_beta")),
            "mistral4.attention.temperature_length": u32(length),
        }

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Give the shape of every weight."""
        fused = (self.n_expert, 2 * self.n_ff_expert, self.n_embd)
        return super().shapes() | {"blk.{i}.ffn_gate_up_exps.weight": fused}
