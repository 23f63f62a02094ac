"""GLM-4.5: dense layers first, experts with a router's bias, a layer that predicts a further token; GLM-4.5V's text."""

from collections.abc import Mapping

from tests.goldens.case import Case
from tests.goldens.cases.glm4 import IMAGES

CONFIG = {
    "architectures": ["Glm4MoeForCausalLM"],
    "attention_bias": True,
    "attention_dropout": 0.0,
    "eos_token_id": [286, 294, 296],
    "first_k_dense_replace": 1,
    "head_dim": 32,
    "hidden_act": "silu",
    "hidden_size": 96,
    "initializer_range": 0.02,
    "intermediate_size": 160,
    "max_position_embeddings": 131072,
    "model_type": "glm4_moe",
    "moe_intermediate_size": 64,
    "n_group": 1,
    "n_routed_experts": 6,
    "n_shared_experts": 1,
    "norm_topk_prob": True,
    "num_attention_heads": 6,
    "num_experts_per_tok": 2,
    "num_hidden_layers": 3,
    "num_key_value_heads": 2,
    "num_nextn_predict_layers": 1,
    "pad_token_id": 286,
    "partial_rotary_factor": 0.5,
    "rms_norm_eps": 1e-05,
    "rope_scaling": None,
    "rope_theta": 1000000,
    "routed_scaling_factor": 2.5,
    "tie_word_embeddings": False,
    "topk_group": 1,
    "torch_dtype": "bfloat16",
    "use_qk_norm": True,
    "vocab_size": 304,
}
NO_NEXTN = {key: value for key, value in CONFIG.items() if key != "num_nextn_predict_layers"}
TEXT = {key: value for key, value in NO_NEXTN.items() if key != "architectures"}
IMAGES_MOE = IMAGES | {
    "architectures": ["Glm4vMoeForConditionalGeneration"],
    "model_type": "glm4v_moe",
    "text_config": TEXT
    | {
        "model_type": "glm4v_moe_text",
        "rope_scaling": {"mrope_section": [2, 3, 3], "type": "default"},
        "use_qk_norm": False,
    },
    "vision_config": IMAGES["vision_config"] | {"model_type": "glm4v_moe", "out_hidden_size": 96},
}


def nextn_layer(shapes: Mapping[str, tuple[int, ...]], layer: int, width: int) -> dict[str, tuple[int, ...]]:
    """Give the layer behind the last: one like it, and what joins it to the model, as repositories have it."""
    last, new = f"model.layers.{layer - 1}.", f"model.layers.{layer}."
    like = {new + name.removeprefix(last): shape for name, shape in shapes.items() if name.startswith(last)}
    vocabulary = shapes["model.embed_tokens.weight"]
    more = {
        "eh_proj.weight": (width, 2 * width),
        "embed_tokens.weight": vocabulary,
        "enorm.weight": (width,),
        "hnorm.weight": (width,),
        "shared_head.head.weight": vocabulary,
        "shared_head.norm.weight": (width,),
    }
    return {**shapes, **like, **{new + name: shape for name, shape in more.items()}}


BIAS_F32 = {r".*e_score_correction_bias": "F32"}

CASES = {
    "glm4_moe": Case(CONFIG, tokenizer="glm", rename=lambda shapes: nextn_layer(shapes, 3, 96), dtypes=BIAS_F32),
    "glm4_moe-no-nextn": Case(NO_NEXTN | {"first_k_dense_replace": 2, "use_qk_norm": False}, tokenizer="glm"),
    "glm4v_moe": Case(IMAGES_MOE, tokenizer="glm", dtypes=BIAS_F32),
}
