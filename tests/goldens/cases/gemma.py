"""Gemma: norms less one, wide heads, the embedding as head."""

from tests.goldens.case import Case

CONFIG = {
    "architectures": ["GemmaForCausalLM"],
    "attention_bias": False,
    "attention_dropout": 0.0,
    "bos_token_id": 2,
    "eos_token_id": 1,
    "head_dim": 64,
    "hidden_act": "gelu",
    "hidden_activation": None,
    "hidden_size": 128,
    "initializer_range": 0.02,
    "intermediate_size": 256,
    "max_position_embeddings": 8192,
    "model_type": "gemma",
    "num_attention_heads": 4,
    "num_hidden_layers": 2,
    "num_key_value_heads": 1,
    "pad_token_id": 0,
    "rms_norm_eps": 1e-06,
    "rope_scaling": None,
    "rope_theta": 10000.0,
    "torch_dtype": "bfloat16",
    "vocab_size": 488,
}

CASES = {
    "gemma": Case(CONFIG, tokenizer="spm_gemma"),
    "gemma-head": Case(
        CONFIG | {"num_key_value_heads": 4}, tokenizer="spm_gemma", extra={"lm_head.weight": (488, 128)}
    ),
}
