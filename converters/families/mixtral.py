"""Mixtral: HF MixtralForCausalLM, GGUF architecture "llama" with experts.

Source: HF modeling_mixtral.py; llama.cpp conversion/llama.py.
"""

from dataclasses import dataclass

from converters.errors import BadCheckpoint
from converters.families.base import size
from converters.families.llama import Llama
from converters.quant_types import ModelSizes
from converters.values import Value, u32


@dataclass(frozen=True)
class Mixtral(Llama):
    """Llama with a router and experts in place of each feed-forward."""

    TENSORS = {name: ours for name, ours in Llama.TENSORS.items() if ".mlp." not in name} | {
        "model.layers.{i}.block_sparse_moe.gate.weight": "blk.{i}.ffn_gate_inp.weight",
        "model.layers.{i}.block_sparse_moe.experts.{e}.w1.weight": "blk.{i}.ffn_gate_exps.weight",
        "model.layers.{i}.block_sparse_moe.experts.{e}.w2.weight": "blk.{i}.ffn_down_exps.weight",
        "model.layers.{i}.block_sparse_moe.experts.{e}.w3.weight": "blk.{i}.ffn_up_exps.weight",
    }
    OPTIONAL = frozenset(name for name in TENSORS if name.endswith(".bias"))

    n_expert: int = size("num_local_experts")
    n_expert_used: int = size("num_experts_per_tok")

    def check(self) -> None:
        """Refuse head counts and expert counts that cannot be."""
        self.check_heads()
        if not 0 < self.n_expert_used <= self.n_expert <= 1024:
            raise BadCheckpoint(f"config.json: {self.n_expert_used} of {self.n_expert} experts cannot be used.")

    def metadata(self) -> dict[str, Value]:
        """Give the llama.* keys with the experts'."""
        experts = {"llama.expert_count": u32(self.n_expert), "llama.expert_used_count": u32(self.n_expert_used)}
        return super().metadata() | experts

    def model_sizes(self) -> ModelSizes:
        """Give what the type chooser looks at."""
        return ModelSizes("llama", self.n_layer, self.n_head, self.n_head_kv, self.n_expert)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Give the shape of every weight; experts are stacked."""
        return super().shapes() | {
            "blk.{i}.ffn_gate_inp.weight": (self.n_expert, self.n_embd),
            "blk.{i}.ffn_gate_exps.weight": (self.n_expert, self.n_ff, self.n_embd),
            "blk.{i}.ffn_down_exps.weight": (self.n_expert, self.n_embd, self.n_ff),
            "blk.{i}.ffn_up_exps.weight": (self.n_expert, self.n_ff, self.n_embd),
        }
