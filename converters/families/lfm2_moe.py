"""LFM2 with experts: HF Lfm2MoeForCausalLM, GGUF architecture "lfm2moe".

Source: HF modeling_lfm2_moe.py, configuration_lfm2_moe.py; llama.cpp conversion/lfm2.py, src/models/lfm2moe.cpp.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from converters.errors import BadCheckpoint, UnsupportedModel
from converters.families.base import Target, size
from converters.families.decoder import block_names
from converters.families.lfm2 import BACKBONE, FEED_FORWARD, Lfm2
from converters.jsonfile import JsonObject
from converters.values import Value, u32

_SIGMOID = 2
_EXPERTS: Mapping[str, Target] = {
    **block_names({"feed_forward.gate": "ffn_gate_inp"}),
    "model.layers.{i}.feed_forward.expert_bias": "blk.{i}.exp_probs_b.bias",
    **block_names({f"feed_forward.experts.{{e}}.{theirs}": f"ffn_{ours}_exps"
                   for theirs, ours in {"w1": "gate", "w2": "down", "w3": "up"}.items()}),
}  # fmt: skip


@dataclass(frozen=True)
class Lfm2Moe(Lfm2):
    """LFM2 whose layers, but for the first few, have experts."""

    ARCHITECTURE = "lfm2moe"
    DEFAULTS: ClassVar[JsonObject] = {
        "conv_L_cache": 3, "intermediate_size": 7168, "max_position_embeddings": 128000, "moe_intermediate_size": 1792,
        "norm_eps": 1e-5, "norm_topk_prob": True, "num_dense_layers": 2, "num_experts": 32, "num_experts_per_tok": 4,
        "num_key_value_heads": 8, "rope_theta": 1000000.0, "routed_scaling_factor": 1.0, "tie_word_embeddings": True,
        "use_expert_bias": True,
    }  # fmt: skip
    TENSORS: ClassVar[Mapping[str, Target]] = {**BACKBONE, **FEED_FORWARD, **_EXPERTS}

    n_dense: int = size("num_dense_layers")
    n_expert_used: int = size("num_experts_per_tok")
    n_ff_expert: int = size("moe_intermediate_size")

    @classmethod
    def _with_width(cls, config: JsonObject) -> JsonObject:
        return config

    def check(self) -> None:
        """Refuse expert counts that cannot be, and what the engine does not do."""
        super().check()
        if not 0 < self.n_expert_used <= self.n_expert:
            raise BadCheckpoint(f"config.json: {self.n_expert_used} of {self.n_expert} experts cannot be used.")
        usual = {"norm_topk_prob": True, "routed_scaling_factor": 1, "use_expert_bias": True}
        for key, value in usual.items():
            if self.config[key] != value:
                raise UnsupportedModel(f"config.json: {key} is {self.config[key]}; llama.cpp knows LFM2 with {value}.")

    def has(self, theirs: str, i: int) -> bool:
        """Tell whether block i has the tensor; the first blocks have no experts."""
        if theirs in FEED_FORWARD or theirs in _EXPERTS:
            return (i < self.n_dense) == (theirs in FEED_FORWARD)
        return super().has(theirs, i)

    def metadata(self) -> dict[str, Value]:
        """Give the keys of LFM2, and those of experts."""
        a = self.ARCHITECTURE
        return super().metadata() | {
            f"{a}.expert_feed_forward_length": u32(self.n_ff_expert),
            f"{a}.expert_gating_func": u32(_SIGMOID),
            f"{a}.leading_dense_block_count": u32(self.n_dense),
        }

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Give the shape of every weight; experts are stacked."""
        wide = (self.n_expert, self.n_ff_expert, self.n_embd)
        return super().shapes() | {
            "blk.{i}.ffn_gate_inp.weight": (self.n_expert, self.n_embd),
            "blk.{i}.exp_probs_b.bias": (self.n_expert,),
            "blk.{i}.ffn_gate_exps.weight": wide,
            "blk.{i}.ffn_up_exps.weight": wide,
            "blk.{i}.ffn_down_exps.weight": (self.n_expert, self.n_embd, self.n_ff_expert),
        }
