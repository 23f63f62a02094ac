"""Qwen3-MoE: HF Qwen3MoeForCausalLM, as Qwen3-30B-A3B; experts without a shared one.

Source: HF modeling_qwen3_moe.py; llama.cpp conversion/qwen.py, src/models/qwen3moe.cpp.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from converters.families.base import Target
from converters.families.decoder import ATTENTION, EMBEDDINGS, EXPERTS, NORMS, QK_NORMS, QKV_BIASES
from converters.families.experts import FUSED_EXPERTS
from converters.families.qwen2_moe import Qwen2Moe
from converters.jsonfile import JsonObject


@dataclass(frozen=True)
class Qwen3Moe(Qwen2Moe):
    """Qwen2-MoE with norms on queries and keys, and no shared expert."""

    ARCHITECTURE = "qwen3moe"
    DEFAULTS: ClassVar[JsonObject] = {
        **Qwen2Moe.DEFAULTS, "intermediate_size": 6144, "moe_intermediate_size": 768, "num_experts": 128,
        "num_experts_per_tok": 8, "shared_expert_intermediate_size": None,
    }  # fmt: skip
    TENSORS: ClassVar[Mapping[str, Target]] = {
        **EMBEDDINGS, **NORMS, **ATTENTION, **QKV_BIASES, **QK_NORMS, **EXPERTS, **FUSED_EXPERTS,
    }  # fmt: skip
    OPTIONAL = frozenset(QKV_BIASES)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Give the shape of every weight, the norms of one head too."""
        return super().shapes() | {f"blk.{{i}}.attn_{part}_norm.weight": (self.head_dim,) for part in ("q", "k")}
