"""Phi-3 and Phi-4: fused projections, stretched contexts, both kinds of tokenizer."""

from tests.goldens.case import Case

CONFIG = {
    "architectures": ["Phi3ForCausalLM"],
    "attention_bias": False,
    "attention_dropout": 0.0,
    "bos_token_id": 1,
    "embd_pdrop": 0.0,
    "eos_token_id": 2,
    "hidden_act": "silu",
    "hidden_size": 96,
    "initializer_range": 0.02,
    "intermediate_size": 160,
    "max_position_embeddings": 4096,
    "model_type": "phi3",
    "num_attention_heads": 3,
    "num_hidden_layers": 2,
    "num_key_value_heads": 3,
    "original_max_position_embeddings": 4096,
    "pad_token_id": 2,
    "resid_pdrop": 0.0,
    "rms_norm_eps": 1e-05,
    "rope_scaling": None,
    "rope_theta": 10000.0,
    "sliding_window": 2047,
    "tie_word_embeddings": False,
    "torch_dtype": "bfloat16",
    "vocab_size": 488,
}
BPE = {"bos_token_id": 286, "eos_token_id": 288, "pad_token_id": 286, "vocab_size": 300}
LONG = {"long_factor": [1.0 + i / 4 for i in range(16)], "short_factor": [1.0 + i / 64 for i in range(16)]}
GPT2 = {
    "added_tokens_decoder": {},
    "bos_token": "<|endoftext|>",
    "clean_up_tokenization_spaces": False,
    "eos_token": "<|im_end|>",
    "pad_token": "<|endoftext|>",
    "tokenizer_class": "GPT2Tokenizer",
}
# as microsoft/Phi-4-mini-instruct has it: 3/4 of each head are rotated, the embedding is the head
MINI = {
    "hidden_size": 128,
    "max_position_embeddings": 131072,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "partial_rotary_factor": 0.75,
    "rope_scaling": {key: factors[:12] for key, factors in LONG.items()} | {"type": "longrope"},
    "sliding_window": 262144,
    "tie_word_embeddings": True,
}
NEW = {key: value for key, value in CONFIG.items() if key not in ("rope_scaling", "rope_theta")}
STRETCHED = {"max_position_embeddings": 131072, "sliding_window": 262144}

FOLDER = "Tiny-4k-instruct"  # llama.cpp looks for certain tokens in a model that is named Phi-3

CASES = {
    "phi3": Case(CONFIG, tokenizer="spm", folder=FOLDER),
    "phi3-longrope": Case(
        NEW
        | STRETCHED
        | {
            "rope_parameters": {
                "rope_type": "longrope",
                "rope_theta": 10000.0,
                "partial_rotary_factor": 1.0,
                "original_max_position_embeddings": 4096,
                **LONG,
            }
        },
        tokenizer="spm",
        folder=FOLDER,
    ),
    "phi3-4": Case(
        CONFIG | BPE | {"num_key_value_heads": 1, "sliding_window": None, "rope_theta": 250000},
        files={"tokenizer_config.json": GPT2},
        folder=FOLDER,
    ),
    "phi3-4-mini": Case(CONFIG | BPE | MINI, files={"tokenizer_config.json": GPT2}, folder=FOLDER),
}
