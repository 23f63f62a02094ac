"""Qwen1.5-MoE and Qwen2-MoE: HF Qwen2MoeForCausalLM, with a shared expert beside the chosen ones.

Source: HF modeling_qwen2_moe.py; llama.cpp conversion/qwen.py, src/models/qwen2moe.cpp.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import ClassVar

from converters.errors import BadCheckpoint, UnsupportedModel
from converters.families.base import Target, size
from converters.families.decoder import ATTENTION, EMBEDDINGS, EXPERTS, NORMS, QKV_BIASES, block_names
from converters.families.experts import FUSED_EXPERTS, expert_half, fused_blocks, is_form_of, plain_name
from converters.families.qwen2 import Qwen2
from converters.jsonfile import JsonObject
from converters.transforms import Transform
from converters.values import Value, u32

_FUSED_BLOCKS = "@fused_blocks"
SHARED_EXPERT = block_names({"mlp.shared_expert_gate": "ffn_gate_inp_shexp"} | {
    f"mlp.shared_expert.{part}_proj": f"ffn_{part}_shexp" for part in ("gate", "up", "down")})  # fmt: skip


@dataclass(frozen=True)
class Qwen2Moe(Qwen2):
    """Qwen2 with a router, experts and one shared expert in place of each feed-forward."""

    ARCHITECTURE = "qwen2moe"
    DEFAULTS: ClassVar[JsonObject] = {
        **Qwen2.DEFAULTS, "intermediate_size": 5632, "moe_intermediate_size": 1408, "num_experts": 60,
        "num_experts_per_tok": 4, "shared_expert_intermediate_size": 5632,
    }  # fmt: skip
    TENSORS: ClassVar[Mapping[str, Target]] = {
        **EMBEDDINGS, **NORMS, **ATTENTION, **QKV_BIASES, **EXPERTS, **FUSED_EXPERTS, **SHARED_EXPERT,
    }  # fmt: skip
    OPTIONAL = frozenset(QKV_BIASES)
    TOKENIZERS = ("bpe",)

    n_expert_used: int = size("num_experts_per_tok")
    n_ff_expert: int = size("moe_intermediate_size")
    n_ff_shared: int = size("shared_expert_intermediate_size", 0)

    @classmethod
    def completed(cls, config: JsonObject, names: Collection[str]) -> JsonObject:
        """Add which blocks have their experts in one piece."""
        return {**super().completed(config, names), _FUSED_BLOCKS: fused_blocks(names)}

    def canonical(self, name: str) -> str:
        """Give the table's name; fused experts may end in .weight."""
        return plain_name(super().canonical(name))

    def has(self, theirs: str, i: int) -> bool:
        """Tell whether block i has the tensor; its experts are stored in one of two forms."""
        return super().has(theirs, i) and is_form_of(theirs, i in self.config[_FUSED_BLOCKS])

    def check(self) -> None:
        """Refuse expert counts that cannot be, and layers without experts, which the engine does not do."""
        super().check()
        if not 0 < self.n_expert_used <= self.n_expert:
            raise BadCheckpoint(f"config.json: {self.n_expert_used} of {self.n_expert} experts cannot be used.")
        if self.config.get("mlp_only_layers") or self.config.get("decoder_sparse_step", 1) != 1:
            raise UnsupportedModel("Some layers of this model have no experts, which llama.cpp does not do for it.")

    def metadata(self) -> dict[str, Value]:
        """Give the usual keys and the width of the experts."""
        a = self.ARCHITECTURE
        shared = {f"{a}.expert_shared_feed_forward_length": u32(self.n_ff_shared)} if self.n_ff_shared else {}
        return super().metadata() | {f"{a}.expert_feed_forward_length": u32(self.n_ff_expert)} | shared

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Give the shape of every weight; experts are stacked."""
        return super().shapes() | {
            "blk.{i}.ffn_gate_inp.weight": (self.n_expert, self.n_embd),
            "blk.{i}.ffn_gate_exps.weight": (self.n_expert, self.n_ff_expert, self.n_embd),
            "blk.{i}.ffn_up_exps.weight": (self.n_expert, self.n_ff_expert, self.n_embd),
            "blk.{i}.ffn_down_exps.weight": (self.n_expert, self.n_embd, self.n_ff_expert),
            "blk.{i}.ffn_gate_inp_shexp.weight": (1, self.n_embd),
            "blk.{i}.ffn_gate_shexp.weight": (self.n_ff_shared, self.n_embd),
            "blk.{i}.ffn_up_shexp.weight": (self.n_ff_shared, self.n_embd),
            "blk.{i}.ffn_down_shexp.weight": (self.n_embd, self.n_ff_shared),
        }

    def transform(self, pattern: str) -> Transform:
        """Cut fused experts into gates and ups."""
        return expert_half(pattern) or super().transform(pattern)
