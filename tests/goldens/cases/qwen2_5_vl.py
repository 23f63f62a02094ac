"""The text model of Qwen2.5-VL."""

from tests.goldens.case import Case
from tests.goldens.cases.qwen2_vl import CONFIG as QWEN2_VL
from tests.goldens.cases.qwen2_vl import hub_names, new_names

VISION = {"depth": 1, "fullatt_block_indexes": [0], "hidden_act": "silu", "hidden_size": 32, "in_chans": 3,
          "intermediate_size": 64, "num_heads": 2, "out_hidden_size": 128, "patch_size": 4, "spatial_merge_size": 2,
          "temporal_patch_size": 2, "tokens_per_second": 2, "window_size": 16}  # fmt: skip
CONFIG = QWEN2_VL | {
    "architectures": ["Qwen2_5_VLForConditionalGeneration"],
    "max_position_embeddings": 128000,
    "model_type": "qwen2_5_vl",
    "tie_word_embeddings": False,
    "vision_config": VISION,
}

CASES = {
    "qwen2_5_vl": Case(CONFIG, rename=hub_names),
    "qwen2_5_vl-tied": Case(CONFIG | {"tie_word_embeddings": True}, rename=new_names),
}
