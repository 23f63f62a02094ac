"""Kimi-VL's text part, and so Kimi K2's and K2.5's: DeepSeek-V3 with one group of experts.

The reference cannot read a config of model_type kimi_k2: transformers has no such class."""

from collections.abc import Mapping

from tests.goldens.case import Case
from tests.goldens.cases import deepseek_v3

TEXT = deepseek_v3.CONFIG | {
    "first_k_dense_replace": 1,
    "n_group": 1,
    "num_hidden_layers": 2,
    "num_nextn_predict_layers": 0,
    "routed_scaling_factor": 2.827,
    "topk_group": 1,
}
IMAGES = {
    "architectures": ["KimiVLForConditionalGeneration"],
    "media_placeholder_token_id": 300,
    "model_type": "kimi_vl",
    "text_config": TEXT,
    "vision_config": {"hidden_size": 32, "model_type": "moonvit", "num_hidden_layers": 1, "patch_size": 14},
    "vocab_size": 304,
}


def kimi_shapes() -> Mapping[str, tuple[int, ...]]:
    """Give the text model's tensors, for transformers has no Kimi-VL."""
    c = {key: value for key, value in TEXT.items() if isinstance(value, int)}
    width, heads, nope, rope, value = 96, 4, c["qk_nope_head_dim"], c["qk_rope_head_dim"], c["v_head_dim"]
    shapes: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (304, width), "model.norm.weight": (width,)}
    shapes["lm_head.weight"] = (304, width)
    for i in range(2):
        layer = {
            "input_layernorm": (width,),
            "post_attention_layernorm": (width,),
            "self_attn.q_a_proj": (c["q_lora_rank"], width),
            "self_attn.q_a_layernorm": (c["q_lora_rank"],),
            "self_attn.q_b_proj": (heads * (nope + rope), c["q_lora_rank"]),
            "self_attn.kv_a_proj_with_mqa": (c["kv_lora_rank"] + rope, width),
            "self_attn.kv_a_layernorm": (c["kv_lora_rank"],),
            "self_attn.kv_b_proj": (heads * (nope + value), c["kv_lora_rank"]),
            "self_attn.o_proj": (width, heads * value),
        } | (_feed_forward("mlp", width, 160) if i == 0 else _experts(width))
        shapes |= {f"model.layers.{i}.{name}.weight": shape for name, shape in layer.items()}
    return shapes | {"model.layers.1.mlp.gate.e_score_correction_bias": (6,)}


def _feed_forward(name: str, width: int, n_ff: int) -> dict[str, tuple[int, ...]]:
    return {
        f"{name}.gate_proj": (n_ff, width),
        f"{name}.up_proj": (n_ff, width),
        f"{name}.down_proj": (width, n_ff),
    }


def _experts(width: int) -> dict[str, tuple[int, ...]]:
    names = ["mlp.shared_experts", *(f"mlp.experts.{e}" for e in range(6))]
    experts = {name: shape for part in names for name, shape in _feed_forward(part, width, 32).items()}
    return {"mlp.gate": (6, width), **experts}


SEES = {"vision_tower.patch_embed.proj.weight": (32, 3, 14, 14), "multi_modal_projector.linear_1.weight": (96, 128)}

CASES = {
    "kimi_vl": Case(
        IMAGES, tensors={f"language_model.{name}": shape for name, shape in kimi_shapes().items()}, extra=SEES
    ),
}
