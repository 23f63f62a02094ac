"""The text model of Qwen2-VL and Qwen2.5-VL: names as their repositories have them, and as transformers 5 saves."""

from tests.goldens.case import Case, Shapes
from tests.goldens.cases.qwen2 import CONFIG as TEXT

MROPE = {"mrope_section": [4, 6, 6], "type": "mrope"}
VISION = {"depth": 1, "embed_dim": 32, "hidden_size": 128, "in_channels": 3, "mlp_ratio": 2, "num_heads": 2,
          "patch_size": 4, "spatial_merge_size": 2, "temporal_patch_size": 2}  # fmt: skip
CONFIG = TEXT | {
    "architectures": ["Qwen2VLForConditionalGeneration"],
    "image_token_id": 289,
    "model_type": "qwen2_vl",
    "rope_scaling": MROPE,
    "tie_word_embeddings": True,
    "video_token_id": 290,
    "vision_config": VISION,
    "vision_end_token_id": 290,
    "vision_start_token_id": 289,
}
OUTER = ("architectures", "image_token_id", "model_type", "torch_dtype", "video_token_id", "vision_config",
         "vision_end_token_id", "vision_start_token_id", "tie_word_embeddings")  # fmt: skip
NESTED = {key: CONFIG[key] for key in OUTER} | {
    "text_config": {key: value for key, value in CONFIG.items() if key not in OUTER} | {"model_type": "qwen2_vl_text"}
}


def hub_names(shapes: Shapes) -> Shapes:
    """The names of the first repositories: model. is the text model, visual. the rest."""
    return {
        name.replace("model.language_model.", "model.").replace("model.visual.", "visual."): shape
        for name, shape in shapes.items()
    }


def new_names(shapes: Shapes) -> Shapes:
    """The names that the classes of transformers have had since 4.52."""
    old = hub_names(shapes)
    return {
        name.replace("model.", "model.language_model.", 1)
        if name.startswith("model.")
        else name.replace("visual.", "model.visual.", 1): shape
        for name, shape in old.items()
    }


CASES = {
    "qwen2_vl": Case(CONFIG, rename=hub_names),
    "qwen2_vl-nested": Case(NESTED, rename=new_names),
    "qwen2_vl-untied": Case(CONFIG | {"tie_word_embeddings": False}, rename=hub_names),
}
