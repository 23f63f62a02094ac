"""Gemma 3: text models and text parts, old and new rotary settings, layers that slide or not."""

from tests.goldens.case import Case, Shapes

CONFIG = {
    "architectures": ["Gemma3ForCausalLM"],
    "_sliding_window_pattern": 6,
    "attention_bias": False,
    "attention_dropout": 0.0,
    "attn_logit_softcapping": None,
    "bos_token_id": 2,
    "eos_token_id": 1,
    "final_logit_softcapping": None,
    "head_dim": 48,
    "hidden_activation": "gelu_pytorch_tanh",
    "hidden_size": 96,
    "initializer_range": 0.02,
    "intermediate_size": 160,
    "layer_types": ["sliding_attention"] * 5 + ["full_attention"] + ["sliding_attention"],
    "max_position_embeddings": 32768,
    "model_type": "gemma3_text",
    "num_attention_heads": 4,
    "num_hidden_layers": 7,
    "num_key_value_heads": 1,
    "pad_token_id": 0,
    "query_pre_attn_scalar": 256,
    "rms_norm_eps": 1e-06,
    "rope_local_base_freq": 10000.0,
    "rope_scaling": None,
    "rope_theta": 1000000.0,
    "sliding_window": 512,
    "torch_dtype": "bfloat16",
    "use_bidirectional_attention": False,
    "vocab_size": 488,
}
OLD = {key: value for key, value in CONFIG.items() if key not in ("_sliding_window_pattern", "layer_types")}
NEW = {key: value for key, value in CONFIG.items() if not key.startswith("rope_")}
TWO = {"num_hidden_layers": 2, "layer_types": ["full_attention", "sliding_attention"]}
ROPE = {
    "full_attention": {"factor": 8.0, "rope_theta": 1000000.0, "rope_type": "linear"},
    "sliding_attention": {"rope_theta": 20000.0, "rope_type": "default"},
}
# as google/gemma-3-4b-it has it: what is not stated is the HF class's
CONDITIONAL = {
    "architectures": ["Gemma3ForConditionalGeneration"],
    "boi_token_index": 470,
    "eoi_token_index": 471,
    "eos_token_id": [1, 106],
    "image_token_index": 472,
    "initializer_range": 0.02,
    "mm_tokens_per_image": 256,
    "model_type": "gemma3",
    "text_config": {
        "hidden_size": 64,
        "intermediate_size": 96,
        "model_type": "gemma3_text",
        "num_hidden_layers": 2,
        "rope_scaling": {"factor": 8.0, "rope_type": "linear"},
        "sliding_window": 1024,
        "vocab_size": 488,
    },
    "torch_dtype": "bfloat16",
    "vision_config": {
        "hidden_size": 32,
        "image_size": 28,
        "intermediate_size": 64,
        "model_type": "siglip_vision_model",
        "num_attention_heads": 2,
        "num_hidden_layers": 1,
        "patch_size": 14,
        "vision_use_head": False,
    },
}


def renamed(shapes: Shapes) -> Shapes:
    """Give the other prefix that the text part is saved with."""
    return {name.replace("language_model.model.", "model.language_model."): shape for name, shape in shapes.items()}


CASES = {
    "gemma3": Case(CONFIG, tokenizer="spm_gemma"),
    "gemma3-old": Case(OLD | {"num_hidden_layers": 3, "sliding_window_pattern": 6}, tokenizer="spm_gemma"),
    "gemma3-new": Case(
        NEW | {"num_hidden_layers": 2, "layer_types": ["sliding_attention"] * 2, "rope_parameters": ROPE},
        tokenizer="spm_gemma",
    ),
    "gemma3-global": Case(
        OLD | {"num_hidden_layers": 2, "sliding_window_pattern": 1, "final_logit_softcapping": 30.0},
        tokenizer="spm_gemma",
    ),
    "gemma3-pattern": Case(CONFIG | TWO, tokenizer="spm_gemma"),
    "gemma3-tied-head": Case(
        CONFIG | {"num_hidden_layers": 1, "layer_types": ["sliding_attention"]},
        tokenizer="spm_gemma",
        extra={"lm_head.weight": (488, 96)},
        values={r"lm_head\.weight": "as:model.embed_tokens.weight"},
    ),
    "gemma3-text": Case(CONDITIONAL, tokenizer="spm_gemma"),
    "gemma3-text-other": Case(CONDITIONAL, tokenizer="spm_gemma", rename=renamed),
}
