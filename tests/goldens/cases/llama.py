"""Llama: grouped heads, tied embeddings, head sizes, biases, every rotary scaling, and every dtype."""

from tests.goldens.case import Case

CONFIG = {
    "architectures": ["LlamaForCausalLM"],
    "attention_bias": False,
    "attention_dropout": 0.0,
    "bos_token_id": 286,
    "eos_token_id": 288,
    "hidden_act": "silu",
    "hidden_size": 128,
    "initializer_range": 0.02,
    "intermediate_size": 224,
    "max_position_embeddings": 2048,
    "mlp_bias": False,
    "model_type": "llama",
    "num_attention_heads": 4,
    "num_hidden_layers": 2,
    "num_key_value_heads": 2,
    "rms_norm_eps": 1e-05,
    "rope_scaling": None,
    "rope_theta": 500000.0,
    "tie_word_embeddings": False,
    "torch_dtype": "bfloat16",
    "vocab_size": 300,
}

CASES = {
    "llama": Case(CONFIG),
    "llama-tied": Case(CONFIG | {"tie_word_embeddings": True, "num_key_value_heads": 4}),
}
