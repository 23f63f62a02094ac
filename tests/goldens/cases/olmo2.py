"""OLMo 2: norms behind attention and feed-forward; one key-value head for each head, and grouped as in the 32B."""

from tests.goldens.case import Case

CONFIG = {
    "architectures": ["Olmo2ForCausalLM"],
    "attention_bias": False,
    "attention_dropout": 0.0,
    "eos_token_id": 286,
    "hidden_act": "silu",
    "hidden_size": 128,
    "initializer_range": 0.02,
    "intermediate_size": 224,
    "max_position_embeddings": 4096,
    "model_type": "olmo2",
    "num_attention_heads": 4,
    "num_hidden_layers": 2,
    "num_key_value_heads": 4,
    "pad_token_id": 286,
    "rms_norm_eps": 1e-06,
    "rope_scaling": None,
    "rope_theta": 500000,
    "tie_word_embeddings": False,
    "torch_dtype": "bfloat16",
    "vocab_size": 300,
}

CASES = {
    "olmo2": Case(CONFIG),
    "olmo2-grouped": Case(CONFIG | {"num_attention_heads": 8, "num_key_value_heads": 2}, dtype="F32"),
}
