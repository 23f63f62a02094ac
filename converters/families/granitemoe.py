"""Granite with experts, some of them shared: HF GraniteMoeForCausalLM and GraniteMoeSharedForCausalLM.

GGUF architecture "granitemoe". Source: HF modeling_granitemoe.py, modeling_granitemoeshared.py; llama.cpp
conversion/granite.py, src/models/granite.cpp.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import ClassVar

from converters.errors import BadCheckpoint
from converters.families.base import Target, size
from converters.families.decoder import ATTENTION, ATTENTION_BIASES, EMBEDDINGS, NORMS
from converters.families.granite import Granite
from converters.transforms import Transform, half
from converters.values import Value, u32

_MOE = "model.layers.{i}.block_sparse_moe"
_SHARED = "model.layers.{i}.shared_mlp"
_BLOCK = "blk.{i}"
_EXPERTS: Mapping[str, Target] = {
    f"{_MOE}.router.layer.weight": f"{_BLOCK}.ffn_gate_inp.weight",
    f"{_MOE}.input_linear.weight": (f"{_BLOCK}.ffn_gate_exps.weight", f"{_BLOCK}.ffn_up_exps.weight"),
    f"{_MOE}.output_linear.weight": f"{_BLOCK}.ffn_down_exps.weight",
}
_FUSED = {"ffn_gate", "ffn_up", "ffn_gate_exps", "ffn_up_exps", "ffn_gate_shexp", "ffn_up_shexp"}


def _shared(ending: str) -> Mapping[str, Target]:
    gate, up, down = (f"{_BLOCK}.ffn_{part}{ending}.weight" for part in ("gate", "up", "down"))
    return {f"{_SHARED}.input_linear.weight": (gate, up), f"{_SHARED}.output_linear.weight": down}


@dataclass(frozen=True)
class GraniteMoe(Granite):
    """Granite with a stack of experts, whose gates and ups are one tensor, and perhaps an expert for all tokens."""

    ARCHITECTURE = "granitemoe"
    TENSORS: ClassVar[Mapping[str, Target]] = {**EMBEDDINGS, **NORMS, **ATTENTION, **ATTENTION_BIASES}
    OPTIONAL = frozenset(ATTENTION_BIASES)

    n_expert_used: int = size("num_experts_per_tok", 0)
    n_ff_shared: int = size("shared_intermediate_size", 0)

    @property
    def _has_experts(self) -> bool:
        return self.n_expert > 0

    def check(self) -> None:
        """Refuse expert counts that cannot be."""
        super().check()
        if self.n_expert and not 0 < self.n_expert_used <= self.n_expert:
            raise BadCheckpoint(f"config.json: {self.n_expert_used} of {self.n_expert} experts cannot be used.")

    def table(self, names: Collection[str]) -> Mapping[str, Target]:
        """Give the tensor table; without experts, the shared one is the feed-forward."""
        experts = _EXPERTS if self.n_expert else {}
        shared = _shared("_shexp" if self.n_expert else "") if self.n_ff_shared else {}
        return {**self.TENSORS, **experts, **shared}

    def metadata(self) -> dict[str, Value]:
        """Give the keys of Granite, and the width of the shared expert."""
        shared = {f"{self.ARCHITECTURE}.expert_shared_feed_forward_length": u32(self.n_ff_shared)}
        return super().metadata() | (shared if self.n_ff_shared else {})

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Give the shape of every weight; experts are stacked."""
        return super().shapes() | {
            "blk.{i}.ffn_gate_inp.weight": (self.n_expert, self.n_embd),
            "blk.{i}.ffn_gate_exps.weight": (self.n_expert, self.n_ff, self.n_embd),
            "blk.{i}.ffn_up_exps.weight": (self.n_expert, self.n_ff, self.n_embd),
            "blk.{i}.ffn_down_exps.weight": (self.n_expert, self.n_embd, self.n_ff),
            "blk.{i}.ffn_gate_shexp.weight": (self.n_ff_shared, self.n_embd),
            "blk.{i}.ffn_up_shexp.weight": (self.n_ff_shared, self.n_embd),
            "blk.{i}.ffn_down_shexp.weight": (self.n_embd, self.n_ff_shared),
        }

    def transform(self, pattern: str) -> Transform:
        """Take gates and ups apart, of each expert; reorder rotary rows as Llama does."""
        name = pattern.removeprefix(f"{_BLOCK}.").removesuffix(".weight")
        return half(int("_up" in name)) if name in _FUSED else super().transform(pattern)
