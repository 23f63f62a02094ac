"""Mixtral: HF MixtralForCausalLM, GGUF architecture "llama" with experts.

Source: HF modeling_mixtral.py; llama.cpp conversion/llama.py.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import ClassVar

from converters.errors import BadCheckpoint
from converters.families.base import Target, size
from converters.families.decoder import ATTENTION, ATTENTION_BIASES, EMBEDDINGS, NORMS, block_names
from converters.families.experts import expert_half
from converters.families.llama import Llama
from converters.transforms import Transform

_EXPERTS = block_names({f"block_sparse_moe.experts.{{e}}.{theirs}": f"ffn_{ours}_exps" for theirs, ours in
                        {"w1": "gate", "w2": "down", "w3": "up"}.items()})  # fmt: skip
_FUSED = "model.layers.{i}.block_sparse_moe.experts"
_FUSED_EXPERTS: Mapping[str, Target] = {
    f"{_FUSED}.gate_up_proj": ("blk.{i}.ffn_gate_exps.weight", "blk.{i}.ffn_up_exps.weight"),
    f"{_FUSED}.down_proj": "blk.{i}.ffn_down_exps.weight",
}


@dataclass(frozen=True)
class Mixtral(Llama):
    """Llama with a router and experts in place of each feed-forward."""

    TENSORS: ClassVar[Mapping[str, Target]] = {**EMBEDDINGS, **NORMS, **ATTENTION, **ATTENTION_BIASES,
               **block_names({"block_sparse_moe.gate": "ffn_gate_inp"}), **_EXPERTS}  # fmt: skip
    OPTIONAL = frozenset(ATTENTION_BIASES)
    STATES_HEAD_DIM = False

    n_expert_used: int = size("num_experts_per_tok")

    def check(self) -> None:
        """Refuse head counts and expert counts that cannot be."""
        super().check()
        if not 0 < self.n_expert_used <= self.n_expert:
            raise BadCheckpoint(f"config.json: {self.n_expert_used} of {self.n_expert} experts cannot be used.")

    def canonical(self, name: str) -> str:
        """Give a stored tensor's name as the tables have it; transformers 5 has another name for the experts' part."""
        return super().canonical(name).replace(".mlp.", ".block_sparse_moe.")

    def table(self, names: Collection[str]) -> Mapping[str, Target]:
        """Give the tensor table, for experts one by one or in one piece, as transformers 5 has them in memory."""
        if not any(name.endswith(".experts.gate_up_proj") for name in names):
            return self.TENSORS
        others = {theirs: ours for theirs, ours in self.TENSORS.items() if theirs not in _EXPERTS}
        return {**others, **_FUSED_EXPERTS}

    def transform(self, pattern: str) -> Transform:
        """Cut fused experts into gates and ups; reorder rotary rows as Llama does."""
        return expert_half(pattern) or super().transform(pattern)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Give the shape of every weight; experts are stacked."""
        return super().shapes() | {
            "blk.{i}.ffn_gate_inp.weight": (self.n_expert, self.n_embd),
            "blk.{i}.ffn_gate_exps.weight": (self.n_expert, self.n_ff, self.n_embd),
            "blk.{i}.ffn_down_exps.weight": (self.n_expert, self.n_embd, self.n_ff),
            "blk.{i}.ffn_up_exps.weight": (self.n_expert, self.n_ff, self.n_embd),
        }
