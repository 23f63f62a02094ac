"""Voxtral: a Llama that hears, with Mistral's own tokenizer."""

from tests.goldens.case import Case
from tests.goldens.cases.llama import CONFIG as TEXT

CONFIG = {
    "architectures": ["VoxtralForConditionalGeneration"],
    "audio_config": {
        "head_dim": 16,
        "hidden_size": 32,
        "intermediate_size": 48,
        "max_source_positions": 16,
        "model_type": "voxtral_encoder",
        "num_attention_heads": 2,
        "num_hidden_layers": 1,
        "num_mel_bins": 8,
    },
    "audio_token_id": 24,
    "hidden_size": 128,
    "model_type": "voxtral",
    "projector_hidden_act": "gelu",
    "text_config": {key: value for key, value in TEXT.items() if key != "architectures"}
    | {"head_dim": 32, "vocab_size": 392},
    "torch_dtype": "bfloat16",
    "vocab_size": 392,
}

CASES = {
    "voxtral": Case(CONFIG, tokenizer="tekken", pre="tekken", folder="Voxtral-Tiny-3B-2507"),
}
