"""Gemma 4 12B: a dense one that sees and hears without towers; tokens that are never to be generated."""

from tests.goldens.case import Case
from tests.goldens.cases.gemma4 import CONFIG, LARGE, TEXT

DENSE = {
    key: value
    for key, value in (TEXT | LARGE).items()
    if not key.startswith(("hidden_size_per", "vocab_size_per", "num_experts", "top_k", "enable_moe"))
}
UNIFIED = {
    "architectures": ["Gemma4UnifiedForConditionalGeneration"],
    "audio_config": {"audio_embed_dim": 32, "model_type": "gemma4_unified_audio"},
    "model_type": "gemma4_unified",
    "text_config": DENSE | {"model_type": "gemma4_unified_text"},
    "vision_config": {
        "mm_embed_dim": 48,
        "mm_posemb_size": 16,
        "model_type": "gemma4_unified_vision",
        "output_proj_dims": 48,
        "patch_size": 4,
        "pooling_kernel_size": 3,
    },
}

CASES = {
    "gemma4_unified": Case(
        CONFIG | UNIFIED,
        tokenizer="gemma4",
        files={"generation_config.json": {"suppress_tokens": [470, 471, 472], "temperature": 1.0, "top_k": 64}},
    ),
}
