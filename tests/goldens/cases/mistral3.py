"""Mistral Small 3 and Ministral 3: alone, or the text model of one that sees; names as repositories and as saved."""

from typing import Any

from tests.goldens.case import Case, Shapes

ROPE = {"beta_fast": 32.0, "beta_slow": 1.0, "factor": 16.0, "llama_4_scaling_beta": 0.1, "mscale": 1.0,
        "mscale_all_dim": 1.0, "original_max_position_embeddings": 16384, "rope_theta": 1000000.0,
        "rope_type": "yarn", "type": "yarn"}  # fmt: skip
SIZES = {"attention_dropout": 0.0, "head_dim": 48, "hidden_act": "silu", "hidden_size": 128, "initializer_range": 0.02,
         "intermediate_size": 192, "num_attention_heads": 4, "num_hidden_layers": 2, "num_key_value_heads": 2,
         "rms_norm_eps": 1e-05, "sliding_window": None, "use_cache": True, "vocab_size": 300}  # fmt: skip
SMALL: dict[str, Any] = SIZES | {
    "max_position_embeddings": 131072, "model_type": "mistral", "rope_theta": 1000000000.0,
}  # fmt: skip
MINISTRAL = SIZES | {
    "max_position_embeddings": 262144, "model_type": "ministral3", "rope_parameters": ROPE, "tie_word_embeddings": False
}  # fmt: skip
VISION = {"head_dim": 16, "hidden_act": "silu", "hidden_size": 32, "image_size": 16, "intermediate_size": 64,
          "model_type": "pixtral", "num_attention_heads": 2, "num_channels": 3, "num_hidden_layers": 1,
          "patch_size": 4, "rope_theta": 10000.0}  # fmt: skip
CONFIG = {
    "architectures": ["Mistral3ForConditionalGeneration"],
    "dtype": "bfloat16",
    "image_token_index": 289,
    "model_type": "mistral3",
    "multimodal_projector_bias": False,
    "projector_hidden_act": "gelu",
    "spatial_merge_size": 2,
    "text_config": SMALL,
    "tie_word_embeddings": False,
    "vision_config": VISION,
    "vision_feature_layer": -1,
}
TIED = CONFIG | {
    "text_config": MINISTRAL | {"tie_word_embeddings": True},
    "tie_word_embeddings": True,
}
ALONE = MINISTRAL | {"architectures": ["Ministral3ForCausalLM"], "bos_token_id": 286, "eos_token_id": 288}
BARE = {key: ALONE[key] for key in ("architectures", "hidden_size", "intermediate_size", "model_type",
        "num_attention_heads", "num_hidden_layers", "num_key_value_heads", "vocab_size")}  # fmt: skip
PARTS = {"model.language_model.": "language_model.model.", "lm_head.": "language_model.lm_head.",
         "model.vision_tower.": "vision_tower.", "model.multi_modal_projector.": "multi_modal_projector."}  # fmt: skip


def hub_names(shapes: Shapes) -> Shapes:
    """The names that repositories have."""
    found = {}
    for name, shape in shapes.items():
        old = next((old for old in PARTS if name.startswith(old)), "")
        found[PARTS.get(old, "") + name.removeprefix(old)] = shape
    return found


def saved_names(shapes: Shapes) -> Shapes:
    """The names of the classes' own modules, as they are saved by fine-tuning."""
    return {
        next((old + name.removeprefix(new) for old, new in PARTS.items() if name.startswith(new)), name): shape
        for name, shape in shapes.items()
    }


CASES = {
    "mistral3": Case(CONFIG, rename=hub_names),
    "mistral3-saved": Case(CONFIG, rename=saved_names),
    "mistral3-ministral": Case(CONFIG | {"text_config": MINISTRAL}, rename=hub_names),
    "mistral3-ministral-tied": Case(TIED, rename=hub_names),
    "ministral3": Case(ALONE),
    "ministral3-bare": Case(BARE),
}
