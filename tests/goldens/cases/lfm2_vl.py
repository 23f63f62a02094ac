"""LFM2-VL: the text model of one that sees."""

from tests.goldens.case import Case
from tests.goldens.cases.lfm2 import CONFIG as TEXT

CONFIG = {
    "architectures": ["Lfm2VlForConditionalGeneration"],
    "do_image_splitting": True,
    "downsample_factor": 2,
    "image_token_index": 290,
    "model_type": "lfm2_vl",
    "projector_bias": True,
    "projector_hidden_act": "gelu",
    "projector_hidden_size": 48,
    "text_config": TEXT,
    "torch_dtype": "bfloat16",
    "vision_config": {
        "hidden_size": 32,
        "intermediate_size": 48,
        "model_type": "siglip2_vision_model",
        "num_attention_heads": 2,
        "num_channels": 3,
        "num_hidden_layers": 1,
        "num_patches": 16,
        "patch_size": 4,
        "vision_use_head": False,
    },
}

CASES = {
    "lfm2_vl": Case(CONFIG, folder="LFM2-VL-Tiny-1.6B"),
}
