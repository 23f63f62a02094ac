"""DeepSeek-V2: latent attention, queries out of a latent or directly (Lite); dense layers first, shared experts."""

from tests.goldens.case import Case

YARN = {
    "beta_fast": 32,
    "beta_slow": 1,
    "factor": 40,
    "mscale": 0.707,
    "mscale_all_dim": 0.707,
    "original_max_position_embeddings": 512,
    "type": "yarn",
}
CONFIG = {
    "architectures": ["DeepseekV2ForCausalLM"],
    "attention_bias": False,
    "attention_dropout": 0.0,
    "aux_loss_alpha": 0.001,
    "bos_token_id": 286,
    "eos_token_id": 288,
    "first_k_dense_replace": 1,
    "hidden_act": "silu",
    "hidden_size": 96,
    "initializer_range": 0.02,
    "intermediate_size": 160,
    "kv_lora_rank": 64,
    "max_position_embeddings": 20480,
    "model_type": "deepseek_v2",
    "moe_intermediate_size": 32,
    "moe_layer_freq": 1,
    "n_group": 2,
    "n_routed_experts": 6,
    "n_shared_experts": 2,
    "norm_topk_prob": False,
    "num_attention_heads": 4,
    "num_experts_per_tok": 2,
    "num_hidden_layers": 3,
    "num_key_value_heads": 4,
    "pretraining_tp": 1,
    "q_lora_rank": 48,
    "qk_nope_head_dim": 32,
    "qk_rope_head_dim": 16,
    "rms_norm_eps": 1e-06,
    "rope_scaling": YARN,
    "rope_theta": 10000,
    "routed_scaling_factor": 16.0,
    "scoring_func": "softmax",
    "seq_aux": True,
    "tie_word_embeddings": False,
    "topk_group": 1,
    "topk_method": "group_limited_greedy",
    "torch_dtype": "bfloat16",
    "v_head_dim": 40,
    "vocab_size": 304,
}
LITE = CONFIG | {
    "first_k_dense_replace": 25,
    "hidden_size": 64,
    "intermediate_size": 32,
    "n_group": 1,
    "num_hidden_layers": 26,  # llama.cpp tells by their number that queries do not come out of a latent
    "q_lora_rank": None,
    "routed_scaling_factor": 1.0,
    "topk_method": "greedy",
}

CASES = {
    "deepseek_v2": Case(CONFIG),
    "deepseek_v2-lite": Case({key: value for key, value in LITE.items() if key != "rope_scaling"}),
}
