"""GLM-4.7-Flash: HF Glm4MoeLiteForCausalLM, GGUF architecture "deepseek2".

Source: HF modeling_glm4_moe_lite.py; llama.cpp conversion/glm.py, src/models/deepseek2.cpp.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import takewhile
from typing import ClassVar

from converters.families.deepseek_v3 import DeepseekV3
from converters.families.glm4_moe import GLM_TOKENS
from converters.jsonfile import JsonObject


@dataclass(frozen=True)
class Glm4MoeLite(DeepseekV3):
    """Latent attention and experts as in DeepSeek-V3, and a layer for a further token, which the file keeps."""

    DEFAULTS: ClassVar[JsonObject] = {
        **{key: value for key, value in DeepseekV3.DEFAULTS.items() if key != "first_k_dense_replace"},
        "max_position_embeddings": 202752, "n_group": 1, "n_routed_experts": 64, "num_experts_per_tok": 4,
        "qk_nope_head_dim": 192, "rms_norm_eps": 1e-5, "routed_scaling_factor": 1.8, "topk_group": 1, "v_head_dim": 256,
    }  # fmt: skip
    TOKENIZERS = ("bpe",)
    PRE_TOKENIZERS = ("glm4", "chatglm-bpe")
    SPECIAL_TOKENS: ClassVar[Mapping[str, str]] = GLM_TOKENS
    KEEPS_NEXTN = True

    @classmethod
    def completed(cls, config: JsonObject, names: Collection[str]) -> JsonObject:
        """Count the dense layers where config.json names each layer's kind instead."""
        kinds = config.get("mlp_layer_types")
        dense = sum(1 for _ in takewhile(lambda kind: kind == "dense", kinds)) if isinstance(kinds, list) else 1
        return {**super().completed(config, names), "first_k_dense_replace": config.get("first_k_dense_replace", dense)}
