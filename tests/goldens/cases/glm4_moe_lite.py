"""GLM-4.7-Flash: latent attention, experts, and a layer that predicts a further token."""

from tests.goldens.case import Case
from tests.goldens.cases.glm4_moe import BIAS_F32, nextn_layer

CONFIG = {
    "architectures": ["Glm4MoeLiteForCausalLM"],
    "attention_bias": False,
    "attention_dropout": 0.0,
    "dtype": "bfloat16",
    "eos_token_id": [286, 294, 296],
    "first_k_dense_replace": 1,
    "hidden_act": "silu",
    "hidden_size": 96,
    "intermediate_size": 160,
    "kv_lora_rank": 64,
    "max_position_embeddings": 202752,
    "model_type": "glm4_moe_lite",
    "moe_intermediate_size": 32,
    "n_group": 1,
    "n_routed_experts": 6,
    "n_shared_experts": 1,
    "norm_topk_prob": True,
    "num_attention_heads": 5,
    "num_experts_per_tok": 2,
    "num_hidden_layers": 2,
    "num_key_value_heads": 5,
    "num_nextn_predict_layers": 1,
    "pad_token_id": 286,
    "partial_rotary_factor": 1.0,
    "q_lora_rank": 48,
    "qk_nope_head_dim": 48,
    "qk_rope_head_dim": 16,
    "rms_norm_eps": 1e-05,
    "rope_scaling": None,
    "rope_theta": 1000000,
    "routed_scaling_factor": 1.8,
    "tie_word_embeddings": False,
    "topk_group": 1,
    "topk_method": "noaux_tc",
    "v_head_dim": 64,
    "vocab_size": 304,
}

CASES = {
    "glm4_moe_lite": Case(CONFIG, tokenizer="glm", rename=lambda shapes: nextn_layer(shapes, 2, 96), dtypes=BIAS_F32),
    "glm4_moe_lite-no-nextn": Case(CONFIG | {"num_nextn_predict_layers": 0}, tokenizer="glm"),
}
