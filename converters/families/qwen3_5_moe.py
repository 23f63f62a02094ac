"""Qwen3.5 and Qwen3.6 with experts: HF Qwen3_5MoeForCausalLM, and within Qwen3_5MoeForConditionalGeneration.

Source: HF modeling_qwen3_5_moe.py; llama.cpp conversion/qwen.py, src/models/qwen35moe.cpp.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from converters.families.base import Target
from converters.families.decoder import EXPERTS
from converters.families.delta_net import DeltaNet
from converters.families.experts import FUSED_EXPERTS
from converters.families.qwen2_moe import SHARED_EXPERT, Qwen2Moe
from converters.families.qwen3_5 import TILED_DELTA_NET, TiledDeltaNet
from converters.jsonfile import JsonObject


@dataclass(frozen=True)
class Qwen3_5Moe(TiledDeltaNet, Qwen2Moe):
    """Delta nets with experts, and a shared one."""

    ARCHITECTURE = "qwen35moe"
    DEFAULTS: ClassVar[JsonObject] = {
        **DeltaNet.DEFAULTS, "moe_intermediate_size": 512, "num_experts": 256, "num_experts_per_tok": 8,
        "shared_expert_intermediate_size": 512,
    }  # fmt: skip
    TENSORS: ClassVar[Mapping[str, Target]] = {**TILED_DELTA_NET, **EXPERTS, **FUSED_EXPERTS, **SHARED_EXPERT}
