"""LLaVA and Pixtral: a Llama or Mistral that sees."""

from tests.goldens.case import Case
from tests.goldens.cases.llama import CONFIG as TEXT

CONFIG = {
    "architectures": ["LlavaForConditionalGeneration"],
    "ignore_index": -100,
    "image_token_index": 290,
    "model_type": "llava",
    "pad_token_id": 286,
    "projector_hidden_act": "gelu",
    "text_config": TEXT,
    "tie_word_embeddings": False,
    "torch_dtype": "float16",
    "vision_config": {
        "hidden_size": 32,
        "image_size": 8,
        "intermediate_size": 48,
        "model_type": "clip_vision_model",
        "num_attention_heads": 2,
        "num_hidden_layers": 1,
        "patch_size": 4,
        "projection_dim": 32,
        "vocab_size": 64,
    },
    "vision_feature_layer": -1,
    "vision_feature_select_strategy": "default",
}
MISTRAL = {
    "head_dim": 8,
    "hidden_size": 96,
    "intermediate_size": 160,
    "is_composition": True,
    "max_position_embeddings": 1024000,
    "model_type": "mistral",
    "num_hidden_layers": 2,
    "num_key_value_heads": 8,
    "rms_norm_eps": 1e-05,
    "rope_theta": 1000000000.0,
    "sliding_window": None,
    "vocab_size": 300,
}
PIXTRAL = {
    "head_dim": 16,
    "hidden_size": 32,
    "image_size": 16,
    "intermediate_size": 48,
    "model_type": "pixtral",
    "num_attention_heads": 2,
    "num_hidden_layers": 1,
    "patch_size": 4,
    "rope_theta": 10000.0,
}

CASES = {
    "llava": Case(CONFIG, dtype="F16", folder="llava-tiny-1.5-7b-hf"),
    "llava-pixtral": Case(CONFIG | {"text_config": MISTRAL, "vision_config": PIXTRAL}, folder="pixtral-tiny-12b"),
}
