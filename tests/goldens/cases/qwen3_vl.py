"""The text model of Qwen3-VL, dense and with experts. llama.cpp cannot run as many deepstack indexes as layers."""

from tests.goldens.case import Case, Shapes
from tests.goldens.cases.qwen2_moe import turned
from tests.goldens.cases.qwen3 import CARD, with_answers

VISION = {"deepstack_visual_indexes": [0, 1], "depth": 2, "hidden_act": "gelu_pytorch_tanh", "hidden_size": 32,
          "in_channels": 3, "intermediate_size": 64, "num_heads": 2, "num_position_embeddings": 16,
          "out_hidden_size": 128, "patch_size": 4, "spatial_merge_size": 2, "temporal_patch_size": 2}  # fmt: skip
TEXT = {
    "attention_bias": False,
    "attention_dropout": 0.0,
    "bos_token_id": 286,
    "dtype": "bfloat16",
    "eos_token_id": 288,
    "head_dim": 48,
    "hidden_act": "silu",
    "hidden_size": 128,
    "initializer_range": 0.02,
    "intermediate_size": 192,
    "max_position_embeddings": 262144,
    "model_type": "qwen3_vl_text",
    "num_attention_heads": 4,
    "num_hidden_layers": 3,
    "num_key_value_heads": 2,
    "rms_norm_eps": 1e-06,
    "rope_scaling": {"mrope_interleaved": True, "mrope_section": [8, 8, 8], "rope_type": "default"},
    "rope_theta": 5000000,
    "use_cache": True,
    "vocab_size": 304,
}
CONFIG = {
    "architectures": ["Qwen3VLForConditionalGeneration"],
    "image_token_id": 289,
    "model_type": "qwen3_vl",
    "text_config": TEXT,
    "tie_word_embeddings": False,
    "video_token_id": 290,
    "vision_config": VISION,
    "vision_end_token_id": 290,
    "vision_start_token_id": 289,
}
EXPERTS = {"decoder_sparse_step": 1, "head_dim": 32, "hidden_size": 64, "intermediate_size": 160, "mlp_only_layers": [],
           "model_type": "qwen3_vl_moe_text", "moe_intermediate_size": 48, "norm_topk_prob": True, "num_experts": 4,
           "num_experts_per_tok": 2, "num_hidden_layers": 2}  # fmt: skip
MOE = CONFIG | {
    "architectures": ["Qwen3VLMoeForConditionalGeneration"],
    "model_type": "qwen3_vl_moe",
    "text_config": {**TEXT, **EXPERTS, "rope_scaling": {**TEXT["rope_scaling"], "mrope_section": [6, 5, 5]}},
    "vision_config": VISION | {"deepstack_visual_indexes": [0], "out_hidden_size": 64},
}
TIED = CONFIG | {"text_config": TEXT | {"tie_word_embeddings": True}, "tie_word_embeddings": True}


def singly(shapes: Shapes) -> Shapes:
    """Experts one by one, as some exporters write them."""
    found: dict[str, tuple[int, ...]] = {}
    for name, shape in shapes.items():
        prefix, _, last = name.partition(".experts.")
        for e in range(shape[0] if last else 0):
            if last.startswith("gate_up_proj"):
                found |= {f"{prefix}.experts.{e}.{part}_proj.weight": (48, 64) for part in ("gate", "up")}
            else:
                found[f"{prefix}.experts.{e}.down_proj.weight"] = (64, 48)
        if not last:
            found[name] = shape
    return found


CASES = {
    "qwen3_vl": Case(CONFIG),
    "qwen3_vl-tied": Case(TIED),
    "qwen3_vl-reranker": Case(TIED, files=with_answers() | {"README.md": CARD.replace("Qwen3", "Qwen3-VL")}),
    "qwen3_vl_moe": Case(MOE, rename=turned),
    "qwen3_vl_moe-singly": Case(MOE, rename=singly),
}
