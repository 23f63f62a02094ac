"""Granite: Llama with multipliers; a vocabulary of 49152 too, whose tokenizer starts without bos."""

from tests.goldens.case import Case

CONFIG = {
    "architectures": ["GraniteForCausalLM"],
    "attention_bias": False,
    "attention_dropout": 0.1,
    "attention_multiplier": 0.015625,
    "bos_token_id": 286,
    "embedding_multiplier": 12.0,
    "eos_token_id": 286,
    "hidden_act": "silu",
    "hidden_size": 128,
    "initializer_range": 0.02,
    "intermediate_size": 224,
    "logits_scaling": 8.0,
    "max_position_embeddings": 4096,
    "mlp_bias": False,
    "model_type": "granite",
    "num_attention_heads": 4,
    "num_hidden_layers": 2,
    "num_key_value_heads": 2,
    "pad_token_id": 286,
    "residual_multiplier": 0.22,
    "rms_norm_eps": 1e-05,
    "rope_scaling": None,
    "rope_theta": 10000.0,
    "tie_word_embeddings": True,
    "torch_dtype": "bfloat16",
    "vocab_size": 300,
}
SPARE = {key: value for key, value in CONFIG.items() if not key.endswith(("_multiplier", "_scaling"))}
SPEECH = {
    "architectures": ["GraniteSpeechForConditionalGeneration"],
    "audio_token_index": 295,
    "downsample_rate": 5,
    "encoder_config": {
        "context_size": 8,
        "conv_expansion_factor": 2,
        "conv_kernel_size": 3,
        "dim_head": 8,
        "feedforward_mult": 2,
        "hidden_dim": 16,
        "input_dim": 8,
        "max_pos_emb": 8,
        "model_type": "granite_speech_encoder",
        "num_heads": 2,
        "num_layers": 1,
        "output_dim": 12,
    },
    "has_lora_adapter": False,
    "model_type": "granite_speech",
    "projector_config": {
        "cross_attention_frequency": 1,
        "encoder_hidden_size": 16,
        "hidden_size": 16,
        "intermediate_size": 24,
        "model_type": "blip_2_qformer",
        "num_attention_heads": 2,
        "num_hidden_layers": 1,
        "vocab_size": 8,
    },
    "text_config": CONFIG,
    "tie_word_embeddings": True,
    "window_size": 15,
}

CASES = {
    "granite": Case(CONFIG),
    "granite-bias": Case(
        CONFIG | {"attention_bias": True, "mlp_bias": True, "tie_word_embeddings": False}, dtype="F16"
    ),
    "granite-head-dim": Case(CONFIG | {"head_dim": 32}),
    "granite-49152": Case(
        CONFIG | {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "vocab_size": 49152}
    ),
    "granite-bare": Case(SPARE),
    "granite_speech": Case(SPEECH),
}
