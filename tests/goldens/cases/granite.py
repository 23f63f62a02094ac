"""Granite: Llama with multipliers; a vocabulary of 49152 too, whose tokenizer starts without bos."""

from tests.goldens.case import Case

CONFIG = {
    "architectures": ["GraniteForCausalLM"],
    "attention_bias": False,
    "attention_dropout": 0.1,
    "attention_multiplier": 0.015625,
    "bos_token_id": 286,
    "embedding_multiplier": 12.0,
    "eos_token_id": 286,
    "hidden_act": "silu",
    "hidden_size": 128,
    "initializer_range": 0.02,
    "intermediate_size": 224,
    "logits_scaling": 8.0,
    "max_position_embeddings": 4096,
    "mlp_bias": False,
    "model_type": "granite",
    "num_attention_heads": 4,
    "num_hidden_layers": 2,
    "num_key_value_heads": 2,
    "pad_token_id": 286,
    "residual_multiplier": 0.22,
    "rms_norm_eps": 1e-05,
    "rope_scaling": None,
    "rope_theta": 10000.0,
    "tie_word_embeddings": True,
    "torch_dtype": "bfloat16",
    "vocab_size": 300,
}
SPARE = {key: value for key, value in CONFIG.items() if not key.endswith(("_multiplier", "_scaling"))}

CASES = {
    "granite": Case(CONFIG),
    "granite-bias": Case(
        CONFIG | {"attention_bias": True, "mlp_bias": True, "tie_word_embeddings": False}, dtype="F16"
    ),
    "granite-head-dim": Case(CONFIG | {"head_dim": 32}),
    "granite-49152": Case(
        CONFIG | {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "vocab_size": 49152}
    ),
    "granite-bare": Case(SPARE),
}
