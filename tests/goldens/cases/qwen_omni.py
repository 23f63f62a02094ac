"""The text models of Qwen2-Audio, Qwen2.5-Omni and Qwen3-Omni."""

from tests.goldens.case import Case, Shapes
from tests.goldens.cases.qwen2 import CONFIG as QWEN2
from tests.goldens.cases.qwen3_moe import CONFIG as QWEN3_MOE

AUDIO_TEXT = {"bos_token_id": 286, "eos_token_id": 288, "hidden_size": 128, "intermediate_size": 96,
              "max_position_embeddings": 8192, "model_type": "qwen2", "num_attention_heads": 4, "num_hidden_layers": 1,
              "num_key_value_heads": 4, "rms_norm_eps": 1e-05, "rope_theta": 10000, "torch_dtype": "bfloat16",
              "vocab_size": 304}  # fmt: skip
AUDIO = {
    "architectures": ["Qwen2AudioForConditionalGeneration"],
    "audio_config": {"d_model": 32, "encoder_attention_heads": 2, "encoder_ffn_dim": 64, "encoder_layers": 1,
                     "model_type": "qwen2_audio_encoder", "num_mel_bins": 8},
    "audio_token_index": 289,
    "model_type": "qwen2_audio",
    "text_config": AUDIO_TEXT,
    "torch_dtype": "bfloat16",
}  # fmt: skip
OUTER = ("architectures", "bos_token_id", "eos_token_id", "model_type")
TOKENS = {"bos_token_id": 287, "eos_token_id": 288}
OMNI = {
    "architectures": ["Qwen2_5OmniModel"],
    "enable_audio_output": True,
    "model_type": "qwen2_5_omni",
    "thinker_config": TOKENS
    | {
        "model_type": "qwen2_5_omni_thinker",
        "text_config": {key: value for key, value in QWEN2.items() if key not in OUTER}
        | {"model_type": "qwen2_5_omni_text", "rope_scaling": {"mrope_section": [4, 6, 6], "type": "default"}},
    },
    "torch_dtype": "bfloat16",
}
OMNI_MOE = {
    "architectures": ["Qwen3OmniMoeForConditionalGeneration"],
    "enable_audio_output": True,
    "model_type": "qwen3_omni_moe",
    "thinker_config": TOKENS
    | {
        "model_type": "qwen3_omni_moe_thinker",
        "text_config": {key: value for key, value in QWEN3_MOE.items() if key not in OUTER}
        | {"model_type": "qwen3_omni_moe_text", "num_experts": 4,
           "rope_scaling": {"interleaved": True, "mrope_section": [6, 5, 5], "rope_type": "default"}},
    },
    "torch_dtype": "bfloat16",
}  # fmt: skip


def old_audio_names(shapes: Shapes) -> Shapes:
    """The names that the repository has."""
    parts = {"model.language_model.": "language_model.model.", "lm_head.": "language_model.lm_head.", "model.": ""}
    found = {}
    for name, shape in shapes.items():
        new = next((new for new in parts if name.startswith(new)), "")
        found[parts.get(new, "") + name.removeprefix(new)] = shape
    return found


def thinker(n_embd: int, head_dim: int, feed_forward: Shapes, norms: bool) -> Shapes:
    """The parts of an Omni model: a thinker with four heads, two for keys, and one tensor of each other part."""
    shapes: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (304, n_embd), "model.norm.weight": (n_embd,),
                                          "lm_head.weight": (304, n_embd), "visual.merger.ln_q.weight": (8,),
                                          "audio_tower.ln_post.weight": (8,)}  # fmt: skip
    for i in range(2):
        layer = {"input_layernorm.weight": (n_embd,), "post_attention_layernorm.weight": (n_embd,),
                 "self_attn.q_proj.weight": (4 * head_dim, n_embd), "self_attn.k_proj.weight": (2 * head_dim, n_embd),
                 "self_attn.v_proj.weight": (2 * head_dim, n_embd), "self_attn.o_proj.weight": (n_embd, 4 * head_dim),
                 **feed_forward}  # fmt: skip
        if norms:
            layer |= {f"self_attn.{part}_norm.weight": (head_dim,) for part in "qk"}
        else:
            layer |= {f"self_attn.{part}_proj.bias": (n * head_dim,) for part, n in (("q", 4), ("k", 2), ("v", 2))}
        shapes |= {f"model.layers.{i}.{name}": shape for name, shape in layer.items()}
    others = {"talker.model.norm.weight": (8,), "token2wav.code2wav_dit_model.norm_out.linear.bias": (8,)}
    return {f"thinker.{name}": shape for name, shape in shapes.items()} | others


DENSE = {"mlp.gate_proj.weight": (224, 128), "mlp.up_proj.weight": (224, 128), "mlp.down_proj.weight": (128, 224)}
EXPERTS = {"mlp.gate.weight": (4, 64)} | {
    f"mlp.experts.{e}.{part}_proj.weight": (64, 32) if part == "down" else (32, 64)
    for e in range(4)
    for part in ("gate", "up", "down")
}

CASES = {
    "qwen2_audio": Case(AUDIO, rename=old_audio_names),
    "qwen2_5_omni": Case(OMNI, tensors=thinker(128, 32, DENSE, norms=False)),
    "qwen3_omni_moe": Case(OMNI_MOE, tensors=thinker(64, 32, EXPERTS, norms=True)),
}
