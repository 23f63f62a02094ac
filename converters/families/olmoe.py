"""OLMoE: HF OlmoeForCausalLM, GGUF architecture "olmoe".

Source: HF modeling_olmoe.py; llama.cpp conversion/olmo.py, src/models/olmoe.cpp.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from converters.errors import BadCheckpoint, UnsupportedModel
from converters.families.base import Target, size
from converters.families.decoder import ATTENTION, EMBEDDINGS, EXPERTS, NORMS, QK_NORMS, Decoder
from converters.jsonfile import JsonObject
from converters.values import Value, f32


@dataclass(frozen=True)
class Olmoe(Decoder):
    """A decoder with experts in every layer, and norms over all heads of queries and keys."""

    ARCHITECTURE = "olmoe"
    DEFAULTS: ClassVar[JsonObject] = {
        "max_position_embeddings": 4096, "num_experts": 64, "num_experts_per_tok": 8, "rope_theta": 10000.0,
    }  # fmt: skip
    TENSORS: ClassVar[Mapping[str, Target]] = {**EMBEDDINGS, **NORMS, **ATTENTION, **QK_NORMS, **EXPERTS}
    TOKENIZERS = ("bpe",)
    PRE_TOKENIZERS = ("olmo",)

    n_expert_used: int = size("num_experts_per_tok")

    def check(self) -> None:
        """Refuse expert counts that cannot be, and what the engine does not do."""
        super().check()
        if not 0 < self.n_expert_used <= self.n_expert:
            raise BadCheckpoint(f"config.json: {self.n_expert_used} of {self.n_expert} experts cannot be used.")
        if self.config.get("clip_qkv") is not None:
            raise UnsupportedModel("This OLMoE model clips queries, keys and values, which llama.cpp does not do.")

    def metadata(self) -> dict[str, Value]:
        """Give the keys that config.json states; the norms' epsilon is the same whatever it states."""
        return super().metadata() | {"olmoe.attention.layer_norm_rms_epsilon": f32(1e-5)}

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Give the shape of every weight; experts are stacked."""
        return super().shapes() | {
            "blk.{i}.attn_q_norm.weight": (self.n_head * self.head_dim,),
            "blk.{i}.attn_k_norm.weight": (self.n_head_kv * self.head_dim,),
            "blk.{i}.ffn_gate_inp.weight": (self.n_expert, self.n_embd),
            "blk.{i}.ffn_gate_exps.weight": (self.n_expert, self.n_ff, self.n_embd),
            "blk.{i}.ffn_up_exps.weight": (self.n_expert, self.n_ff, self.n_embd),
            "blk.{i}.ffn_down_exps.weight": (self.n_expert, self.n_embd, self.n_ff),
        }
