"""LFM2 with experts behind two dense layers."""

from tests.goldens.case import Case

CONFIG = {
    "architectures": ["Lfm2MoeForCausalLM"],
    "bos_token_id": 286,
    "conv_L_cache": 3,
    "conv_bias": False,
    "dtype": "bfloat16",
    "eos_token_id": 288,
    "hidden_size": 64,
    "initializer_range": 0.02,
    "intermediate_size": 160,
    "layer_types": ["conv", "full_attention", "conv", "full_attention"],
    "max_position_embeddings": 128000,
    "model_type": "lfm2_moe",
    "moe_intermediate_size": 32,
    "norm_eps": 1e-05,
    "norm_topk_prob": True,
    "num_attention_heads": 4,
    "num_dense_layers": 2,
    "num_experts": 4,
    "num_experts_per_tok": 2,
    "num_hidden_layers": 4,
    "num_key_value_heads": 2,
    "pad_token_id": 0,
    "rope_theta": 1000000.0,
    "routed_scaling_factor": 1.0,
    "tie_embedding": True,
    "use_cache": True,
    "use_expert_bias": True,
    "vocab_size": 300,
}

CASES = {
    "lfm2_moe": Case(CONFIG, dtypes={r".*\.expert_bias": "F32"}, folder="LFM2-Tiny-8B-A1B"),
}
