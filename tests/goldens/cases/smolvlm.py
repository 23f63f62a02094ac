"""SmolVLM: a Llama that sees, under a name of its own."""

from tests.goldens.case import Case
from tests.goldens.cases.llama import CONFIG as TEXT

CONFIG = {
    "architectures": ["SmolVLMForConditionalGeneration"],
    "image_token_id": 290,
    "model_type": "smolvlm",
    "scale_factor": 2,
    "text_config": TEXT
    | {
        "architectures": ["VLlama3ForCausalLM"],
        "head_dim": 32,
        "is_llama_config": True,
        "neftune_noise_alpha": 0.0,
        "pixel_shuffle_factor": 2,
        "pad_token_id": 2,
        "qk_layer_norms": False,
        "use_resampler": False,
    },
    "tie_word_embeddings": False,
    "torch_dtype": "bfloat16",
    "vision_config": {
        "hidden_size": 32,
        "image_size": 16,
        "intermediate_size": 48,
        "model_type": "smolvlm_vision",
        "num_attention_heads": 2,
        "num_hidden_layers": 1,
        "patch_size": 4,
    },
    "vocab_size": 300,
}

CASES = {
    "smolvlm": Case(CONFIG, folder="SmolVLM2-Tiny-2.2B-Instruct"),
}
