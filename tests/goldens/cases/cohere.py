"""Cohere: Command R and Aya."""

from tests.goldens.case import Case

CONFIG = {
    "architectures": ["CohereForCausalLM"],
    "attention_bias": False,
    "attention_dropout": 0.0,
    "bos_token_id": 286,
    "eos_token_id": 288,
    "hidden_act": "silu",
    "hidden_size": 128,
    "initializer_range": 0.02,
    "intermediate_size": 320,
    "layer_norm_eps": 1e-05,
    "logit_scale": 0.0625,
    "max_position_embeddings": 8192,
    "model_max_length": 131072,
    "model_type": "cohere",
    "num_attention_heads": 4,
    "num_hidden_layers": 2,
    "num_key_value_heads": 4,
    "pad_token_id": 0,
    "rope_theta": 8000000.0,
    "tie_word_embeddings": True,
    "torch_dtype": "bfloat16",
    "use_cache": True,
    "use_qk_norm": False,
    "vocab_size": 304,
}
BARE = {key: CONFIG[key] for key in ("architectures", "hidden_size", "intermediate_size", "model_type",
        "num_attention_heads", "num_hidden_layers", "vocab_size")}  # fmt: skip
AYA = {key: value for key, value in CONFIG.items() if key not in ("model_max_length", "tie_word_embeddings")}

CASES = {
    "cohere": Case(CONFIG, dtype="F16", folder="c4ai-command-r-tiny"),
    "cohere-bare": Case(BARE),
    "cohere-aya": Case(AYA | {"logit_scale": 0.25, "num_key_value_heads": 2}, folder="aya-23-tiny-8B"),
}
