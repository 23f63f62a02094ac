"""DeepSeek-V3, V3.1 and R1, Kimi K2 and Moonlight: HF DeepseekV3ForCausalLM, GGUF architecture "deepseek2".

The text parts of Kimi-VL and Kimi K2.5 too, whose text_config names this class.

The layer that predicts a further token is left out: llama.cpp does not run it for this model. Source: HF
modeling_deepseek_v3.py; llama.cpp conversion/deepseek.py.
"""

from dataclasses import dataclass
from typing import ClassVar

from converters.families.deepseek_v2 import DeepseekV2
from converters.families.leading_dense import OPTIONAL_NEXTN
from converters.jsonfile import JsonObject


@dataclass(frozen=True)
class DeepseekV3(DeepseekV2):
    """DeepSeek-V2 whose experts are chosen by a sigmoid with a bias."""

    OPTIONAL = OPTIONAL_NEXTN

    DEFAULTS: ClassVar[JsonObject] = DeepseekV2.DEFAULTS | {
        "first_k_dense_replace": 3, "max_position_embeddings": 4096, "n_group": 8, "n_routed_experts": 256,
        "n_shared_experts": 1, "norm_topk_prob": True, "num_experts_per_tok": 8, "routed_scaling_factor": 2.5,
        "scoring_func": "sigmoid", "topk_group": 4,
    }  # fmt: skip
