"""Mixtral: Llama with experts, saved one by one."""

from tests.goldens.case import Case

CONFIG = {
    "architectures": ["MixtralForCausalLM"],
    "attention_dropout": 0.0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "hidden_act": "silu",
    "hidden_size": 64,
    "initializer_range": 0.02,
    "intermediate_size": 96,
    "max_position_embeddings": 32768,
    "model_type": "mixtral",
    "num_attention_heads": 4,
    "num_experts_per_tok": 2,
    "num_hidden_layers": 2,
    "num_key_value_heads": 2,
    "num_local_experts": 4,
    "output_router_logits": False,
    "rms_norm_eps": 1e-05,
    "rope_theta": 1000000.0,
    "router_aux_loss_coef": 0.02,
    "sliding_window": None,
    "tie_word_embeddings": False,
    "torch_dtype": "bfloat16",
    "vocab_size": 488,
}
BPE = {"bos_token_id": 286, "eos_token_id": 288, "vocab_size": 300}

CASES = {
    "mixtral": Case(CONFIG, tokenizer="spm"),
    "mixtral-8": Case(
        CONFIG | BPE | {"num_local_experts": 8, "num_hidden_layers": 1}, folder="Tiny-8x7B-Instruct-v0.1"
    ),
}
