"""LFM2: attention and convolution layers, the feed-forward's width stated in the old form and in the new one."""

from tests.goldens.case import Case

CONFIG = {
    "architectures": ["Lfm2ForCausalLM"],
    "block_auto_adjust_ff_dim": True,
    "block_dim": 128,
    "block_ff_dim": 400,
    "block_ffn_dim_multiplier": 1.0,
    "block_mlp_init_scale": 1.0,
    "block_multiple_of": 64,
    "block_norm_eps": 1e-05,
    "block_out_init_scale": 1.0,
    "block_use_swiglu": True,
    "block_use_xavier_init": True,
    "bos_token_id": 286,
    "conv_L_cache": 3,
    "conv_bias": False,
    "conv_dim": 128,
    "conv_dim_out": 128,
    "conv_use_xavier_init": True,
    "eos_token_id": 288,
    "full_attn_idxs": [2],
    "hidden_size": 128,
    "initializer_range": 0.02,
    "max_position_embeddings": 128000,
    "model_type": "lfm2",
    "norm_eps": 1e-05,
    "num_attention_heads": 4,
    "num_heads": 4,
    "num_hidden_layers": 4,
    "num_key_value_heads": 2,
    "pad_token_id": 0,
    "rope_theta": 1000000.0,
    "torch_dtype": "bfloat16",
    "use_cache": True,
    "use_pos_enc": True,
    "vocab_size": 300,
}
OLD = ("block_ff_dim", "full_attn_idxs", "rope_theta")
NEW = {key: value for key, value in CONFIG.items() if key not in OLD} | {
    "block_auto_adjust_ff_dim": False,
    "intermediate_size": 200,
    "layer_types": ["full_attention", "conv"],
    "num_hidden_layers": 2,
    "rope_parameters": {"rope_theta": 1000000.0, "rope_type": "default"},
    "tie_embedding": False,
}
BARE = {
    "architectures": ["Lfm2ForCausalLM"],
    "full_attn_idxs": [1],
    "hidden_size": 64,
    "intermediate_size": 96,
    "model_type": "lfm2",
    "num_attention_heads": 8,
    "num_hidden_layers": 2,
    "vocab_size": 300,
}

CASES = {
    "lfm2": Case(CONFIG, folder="LFM2-Tiny-1.2B"),
    "lfm2-new": Case(NEW),
    "lfm2-bare": Case(BARE),
    "lfm2-multiplier": Case(CONFIG | {"block_ffn_dim_multiplier": 1.3, "num_hidden_layers": 3}),
}
