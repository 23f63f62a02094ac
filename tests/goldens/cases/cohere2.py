"""Cohere 2: Command R7B with a window in three layers of four, as older and newer configs state it."""

from tests.goldens.case import Case

CONFIG = {
    "_sliding_window_pattern": 4,
    "architectures": ["Cohere2ForCausalLM"],
    "attention_bias": False,
    "attention_dropout": 0.0,
    "bos_token_id": 286,
    "cache_implementation": "hybrid",
    "eos_token_id": 288,
    "head_dim": 32,
    "hidden_act": "silu",
    "hidden_size": 128,
    "initializer_range": 0.02,
    "intermediate_size": 320,
    "layer_norm_eps": 1e-05,
    "layer_switch": 4,
    "logit_scale": 0.25,
    "max_position_embeddings": 8192,
    "model_type": "cohere2",
    "num_attention_heads": 4,
    "num_hidden_layers": 4,
    "num_key_value_heads": 2,
    "order_of_interleaved_layers": "local_attn_first",
    "pad_token_id": 0,
    "position_embedding_type": "rope_gptj",
    "rope_scaling": None,
    "rope_theta": 50000,
    "rotary_pct": 1.0,
    "sliding_window": 512,
    "sliding_window_pattern": 4,
    "torch_dtype": "bfloat16",
    "use_cache": True,
    "use_embedding_sharing": True,
    "use_gated_activation": True,
    "use_parallel_block": True,
    "use_parallel_embedding": True,
    "vocab_size": 304,
}
NEW = {
    key: value for key, value in CONFIG.items() if key not in ("sliding_window_pattern", "rope_scaling", "rope_theta")
}


CASES = {
    "cohere2": Case(CONFIG, folder="c4ai-command-r7b-12-tiny"),
    "cohere2-new": Case(
        NEW
        | {
            "layer_types": ["sliding_attention"] * 3 + ["full_attention"],
            "rope_parameters": {"rope_theta": 50000, "rope_type": "default"},
            "tie_word_embeddings": True,
        }
    ),
}
