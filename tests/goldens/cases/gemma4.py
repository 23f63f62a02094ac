"""Gemma 4: small ones with inputs for every layer, a dense one whose keys are values, and one with experts."""

from tests.goldens.case import Case, Shapes

# as google/gemma-4-E2B-it has it: the last layers use the keys and values of earlier ones, and are twice as wide
TEXT = {
    "attention_bias": False,
    "attention_dropout": 0.0,
    "attention_k_eq_v": False,
    "bos_token_id": 2,
    "enable_moe_block": False,
    "eos_token_id": 1,
    "final_logit_softcapping": 30.0,
    "global_head_dim": 64,
    "head_dim": 32,
    "hidden_activation": "gelu_pytorch_tanh",
    "hidden_size": 96,
    "hidden_size_per_layer_input": 32,
    "initializer_range": 0.02,
    "intermediate_size": 64,
    "layer_types": ["sliding_attention", "full_attention"] * 2,
    "max_position_embeddings": 131072,
    "model_type": "gemma4_text",
    "moe_intermediate_size": None,
    "num_attention_heads": 4,
    "num_experts": None,
    "num_global_key_value_heads": None,
    "num_hidden_layers": 4,
    "num_key_value_heads": 1,
    "num_kv_shared_layers": 2,
    "pad_token_id": 0,
    "rms_norm_eps": 1e-06,
    "rope_parameters": {
        "full_attention": {"partial_rotary_factor": 0.25, "rope_theta": 1000000.0, "rope_type": "proportional"},
        "sliding_attention": {"rope_theta": 10000.0, "rope_type": "default"},
    },
    "sliding_window": 512,
    "tie_word_embeddings": True,
    "top_k_experts": None,
    "use_bidirectional_attention": None,
    "use_double_wide_mlp": True,
    "vocab_size": 512,
    "vocab_size_per_layer_input": 512,
}
LARGE = {
    "attention_k_eq_v": True,
    "hidden_size_per_layer_input": 0,
    "num_global_key_value_heads": 1,
    "num_key_value_heads": 2,
    "num_kv_shared_layers": 0,
    "use_bidirectional_attention": "vision",
    "use_double_wide_mlp": False,
}
EXPERTS = {"enable_moe_block": True, "moe_intermediate_size": 32, "num_experts": 4, "top_k_experts": 2}
NEW = {
    key: value
    for key, value in (TEXT | LARGE).items()
    if key not in ("global_head_dim", "num_global_key_value_heads", "layer_types", "num_hidden_layers")
}
CONFIG = {
    "architectures": ["Gemma4ForConditionalGeneration"],
    "audio_config": None,
    "boi_token_id": 470,
    "dtype": "bfloat16",
    "eoi_token_id": 471,
    "image_token_id": 472,
    "model_type": "gemma4",
    "vision_config": {
        "global_head_dim": 16,
        "head_dim": 16,
        "hidden_size": 32,
        "intermediate_size": 64,
        "model_type": "gemma4_vision",
        "num_attention_heads": 2,
        "num_hidden_layers": 1,
        "num_key_value_heads": 2,
        "patch_size": 4,
        "pooling_kernel_size": 3,
        "position_embedding_size": 16,
    },
}
CAUSAL = {"architectures": ["Gemma4ForCausalLM"], "dtype": "bfloat16"}


def with_unused(shapes: Shapes) -> Shapes:
    """Add the keys and values of the layers that use those of earlier ones: repositories hold them."""
    unused = {
        name.replace(f"layers.{i}.", f"layers.{i + 2}."): shape
        for name, shape in shapes.items()
        for i in range(2)
        if f"language_model.layers.{i}.self_attn" in name
        and any(part in name for part in ("k_proj", "v_proj", "k_norm"))
    }
    return {**shapes, **unused}


CASES = {
    "gemma4": Case(CONFIG | {"text_config": TEXT}, tokenizer="gemma4", rename=with_unused),
    "gemma4-saved": Case(CAUSAL | TEXT, tokenizer="gemma4"),
    "gemma4-dense": Case(CONFIG | {"text_config": TEXT | LARGE}, tokenizer="gemma4"),
    "gemma4-moe": Case(CONFIG | {"text_config": TEXT | LARGE | EXPERTS}, tokenizer="gemma4"),
    "gemma4-new": Case(
        CAUSAL
        | NEW
        | {
            "num_hidden_layers": 6,
            "per_layer_config": {"5": {"head_dim": 64, "num_key_value_heads": 1}},
        },
        tokenizer="gemma4",
    ),
}
