"""Qwen3-Next: HF Qwen3NextForCausalLM, as Qwen3-Next-80B-A3B; delta nets, experts and a shared one.

Source: HF modeling_qwen3_next.py; llama.cpp conversion/qwen.py, src/models/qwen3next.cpp.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

from converters.families.base import Target
from converters.families.decoder import EXPERTS
from converters.families.delta_net import DELTA_NET, DeltaNet
from converters.families.experts import FUSED_EXPERTS
from converters.families.qwen2_moe import SHARED_EXPERT, Qwen2Moe
from converters.jsonfile import JsonObject
from converters.layout import Layout
from converters.transforms import Transform

_QKV, _GATE = "blk.{i}.attn_qkv.weight", "blk.{i}.attn_gate.weight"


@dataclass(frozen=True)
class Qwen3Next(DeltaNet, Qwen2Moe):
    """Its delta nets keep queries, keys, values and gates of one key head together."""

    ARCHITECTURE = "qwen3next"
    DEFAULTS: ClassVar[JsonObject] = {
        **DeltaNet.DEFAULTS, "intermediate_size": 5632, "moe_intermediate_size": 512, "num_experts": 512,
        "num_experts_per_tok": 10, "shared_expert_intermediate_size": 512,
    }  # fmt: skip
    TENSORS: ClassVar[Mapping[str, Target]] = {
        **DELTA_NET, **EXPERTS, **FUSED_EXPERTS, **SHARED_EXPERT,
        "model.layers.{i}.linear_attn.in_proj_qkvz.weight": (_QKV, _GATE),
        "model.layers.{i}.linear_attn.in_proj_ba.weight": "blk.{i}.ssm_ba.weight",
    }  # fmt: skip

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Give the shape of every weight."""
        return super().shapes() | {"blk.{i}.ssm_ba.weight": (2 * self.n_v_head, self.n_embd)}

    def transform(self, pattern: str) -> Transform:
        """Gather queries, keys, values and gates, each of all heads."""
        if pattern in (_QKV, _GATE):
            return Transform(lambda whole: self._gathered(whole, pattern))
        return super().transform(pattern)

    def _gathered(self, whole: Layout, pattern: str) -> list[Layout]:
        keys, values = self.k_head_dim, self.n_v_head // self.n_k_head * self.v_head_dim
        heads = whole.reshape(self.n_k_head, 2 * keys + 2 * values, -1)
        edges = (
            (0, keys, 2 * keys, 2 * keys + values) if pattern == _QKV else (2 * keys + values, 2 * keys + 2 * values)
        )
        parts = [heads[:, first:stop] for first, stop in pairwise(edges)]
        return [part.shaped(-1, whole.shape[1]) for part in parts]
