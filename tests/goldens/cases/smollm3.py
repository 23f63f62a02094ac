"""SmolLM3: tied embeddings, layers without positions, a context stretched by yarn."""

from tests.goldens.case import Case

CONFIG = {
    "architectures": ["SmolLM3ForCausalLM"],
    "attention_bias": False,
    "attention_dropout": 0.0,
    "bos_token_id": None,
    "eos_token_id": 288,
    "hidden_act": "silu",
    "hidden_size": 128,
    "initializer_range": 0.02,
    "intermediate_size": 192,
    "layer_types": ["full_attention"] * 4,
    "max_position_embeddings": 65536,
    "max_window_layers": 28,
    "mlp_bias": False,
    "model_type": "smollm3",
    "no_rope_layer_interval": 4,
    "no_rope_layers": [1, 1, 1, 0],
    "num_attention_heads": 4,
    "num_hidden_layers": 4,
    "num_key_value_heads": 2,
    "pad_token_id": 286,
    "pretraining_tp": 2,
    "rms_norm_eps": 1e-06,
    "rope_scaling": None,
    "rope_theta": 5000000.0,
    "sliding_window": None,
    "torch_dtype": "bfloat16",
    "use_cache": False,
    "use_sliding_window": False,
    "vocab_size": 300,
}
YARN = {"factor": 2.0, "original_max_position_embeddings": 65536, "type": "yarn"}
BARE = {key: CONFIG[key] for key in ("architectures", "hidden_size", "intermediate_size", "model_type",
        "num_attention_heads", "num_hidden_layers", "vocab_size")}  # fmt: skip

CASES = {
    "smollm3": Case(CONFIG, folder="SmolLM3-Tiny-3B"),
    "smollm3-bare": Case(BARE | {"num_hidden_layers": 2, "pad_token_id": 286}),
    "smollm3-yarn": Case(CONFIG | {"max_position_embeddings": 131072, "rope_scaling": YARN}),
    "smollm3-untied": Case(CONFIG | {"num_key_value_heads": 4, "tie_word_embeddings": False}),
}
