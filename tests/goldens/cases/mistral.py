"""Mistral: a Llama with a sliding window, head sizes of its own, and either kind of tokenizer."""

from tests.goldens.case import Case

CONFIG = {
    "architectures": ["MistralForCausalLM"],
    "attention_dropout": 0.0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "hidden_act": "silu",
    "hidden_size": 128,
    "initializer_range": 0.02,
    "intermediate_size": 192,
    "max_position_embeddings": 32768,
    "model_type": "mistral",
    "num_attention_heads": 4,
    "num_hidden_layers": 2,
    "num_key_value_heads": 2,
    "rms_norm_eps": 1e-05,
    "rope_theta": 10000.0,
    "sliding_window": 4096,
    "tie_word_embeddings": False,
    "torch_dtype": "bfloat16",
    "vocab_size": 488,
}
BPE = {"bos_token_id": 286, "eos_token_id": 288, "vocab_size": 300}
NEMO = CONFIG | BPE | {"head_dim": 48, "rope_theta": 1000000.0, "sliding_window": None}

CASES = {
    "mistral": Case(CONFIG, tokenizer="spm"),
    "mistral-head-dim": Case(NEMO),
    "mistral-head-dim-null": Case(CONFIG | BPE | {"head_dim": None}),
    "mistral-tekken": Case(CONFIG | {"vocab_size": 392, "sliding_window": None}, tokenizer="tekken", pre="tekken"),
}
