"""GLM-4: gate and up in one tensor, half of a head rotary; GLM-4.1V's text part with sections of positions."""

from tests.goldens.case import Case

CONFIG = {
    "architectures": ["Glm4ForCausalLM"],
    "attention_bias": False,
    "attention_dropout": 0.0,
    "eos_token_id": [286, 294, 296],
    "head_dim": 32,
    "hidden_act": "silu",
    "hidden_size": 128,
    "initializer_range": 0.02,
    "intermediate_size": 208,
    "max_position_embeddings": 32768,
    "model_type": "glm4",
    "num_attention_heads": 6,
    "num_hidden_layers": 2,
    "num_key_value_heads": 2,
    "pad_token_id": 286,
    "partial_rotary_factor": 0.5,
    "rms_norm_eps": 1e-05,
    "rope_theta": 10000.0,
    "tie_word_embeddings": False,
    "torch_dtype": "bfloat16",
    "vocab_size": 304,
}
SPARE = {key: value for key, value in CONFIG.items() if key not in ("head_dim", "partial_rotary_factor", "rope_theta")}
TEXT = {key: value for key, value in CONFIG.items() if key not in ("architectures", "head_dim", "tie_word_embeddings")}
VISION = {
    "depth": 1,
    "hidden_size": 32,
    "image_size": 28,
    "in_channels": 3,
    "intermediate_size": 48,
    "model_type": "glm4v",
    "num_heads": 2,
    "out_hidden_size": 128,
    "patch_size": 14,
    "spatial_merge_size": 2,
    "temporal_patch_size": 2,
}
IMAGES = {
    "architectures": ["Glm4vForConditionalGeneration"],
    "image_token_id": 300,
    "model_type": "glm4v",
    "tie_word_embeddings": False,
    "text_config": TEXT
    | {
        "attention_bias": True,
        "model_type": "glm4v_text",
        "num_attention_heads": 4,
        "rope_scaling": {"mrope_section": [2, 3, 3], "type": "default"},
    },
    "vision_config": VISION,
    "vocab_size": 304,
}

CASES = {
    "glm4": Case(CONFIG, tokenizer="glm"),
    "glm4-bias": Case(CONFIG | {"attention_bias": True, "head_dim": 48, "tie_word_embeddings": True}, tokenizer="glm"),
    "glm4-bare": Case(SPARE | {"num_attention_heads": 2, "num_hidden_layers": 1}, dtype="F32", tokenizer="glm"),
    "glm4v": Case(IMAGES, tokenizer="glm"),
    "glm4v-whole": Case(
        IMAGES | {"text_config": IMAGES["text_config"] | {"partial_rotary_factor": 1.0}}, dtype="F16", tokenizer="glm"
    ),
}
