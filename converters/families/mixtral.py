"""Mixtral: HF MixtralForCausalLM, GGUF architecture "llama" with experts.

Source: HF modeling_mixtral.py; llama.cpp conversion/llama.py.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from converters.errors import BadCheckpoint
from converters.families.base import Target, size
from converters.families.decoder import ATTENTION, ATTENTION_BIASES, EMBEDDINGS, NORMS, block_names
from converters.families.llama import Llama

_EXPERTS = {f"block_sparse_moe.experts.{{e}}.{theirs}": ours for theirs, ours in
            {"w1": "ffn_gate_exps", "w2": "ffn_down_exps", "w3": "ffn_up_exps"}.items()}  # fmt: skip


@dataclass(frozen=True)
class Mixtral(Llama):
    """Llama with a router and experts in place of each feed-forward."""

    TENSORS: ClassVar[Mapping[str, Target]] = {**EMBEDDINGS, **NORMS, **ATTENTION, **ATTENTION_BIASES,
               **block_names({"block_sparse_moe.gate": "ffn_gate_inp"} | _EXPERTS)}  # fmt: skip
    OPTIONAL = frozenset(ATTENTION_BIASES)
    STATES_HEAD_DIM = False

    n_expert_used: int = size("num_experts_per_tok")

    def check(self) -> None:
        """Refuse head counts and expert counts that cannot be."""
        super().check()
        if not 0 < self.n_expert_used <= self.n_expert:
            raise BadCheckpoint(f"config.json: {self.n_expert_used} of {self.n_expert} experts cannot be used.")

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Give the shape of every weight; experts are stacked."""
        return super().shapes() | {
            "blk.{i}.ffn_gate_inp.weight": (self.n_expert, self.n_embd),
            "blk.{i}.ffn_gate_exps.weight": (self.n_expert, self.n_ff, self.n_embd),
            "blk.{i}.ffn_down_exps.weight": (self.n_expert, self.n_embd, self.n_ff),
            "blk.{i}.ffn_up_exps.weight": (self.n_expert, self.n_ff, self.n_embd),
        }
