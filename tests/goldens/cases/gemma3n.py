"""Gemma 3n: four streams, low-rank detours, inputs for every layer; a text model and the text part of one."""

from tests.goldens.case import Case, Shapes

CONFIG = {
    "architectures": ["Gemma3nForCausalLM"],
    "activation_sparsity_pattern": [0.95, 0.5, 0.0],
    "altup_active_idx": 0,
    "altup_coef_clip": 120.0,
    "altup_correct_scale": True,
    "altup_num_inputs": 4,
    "attention_bias": False,
    "attention_dropout": 0.0,
    "bos_token_id": 2,
    "eos_token_id": 1,
    "final_logit_softcapping": 30.0,
    "head_dim": 32,
    "hidden_activation": "gelu_pytorch_tanh",
    "hidden_size": 128,
    "hidden_size_per_layer_input": 256,
    "initializer_range": 0.02,
    "intermediate_size": [96, 96, 96],
    "laurel_rank": 64,
    "layer_types": ["sliding_attention", "sliding_attention", "full_attention"],
    "max_position_embeddings": 32768,
    "model_type": "gemma3n_text",
    "num_attention_heads": 4,
    "num_hidden_layers": 3,
    "num_key_value_heads": 2,
    "num_kv_shared_layers": 0,
    "pad_token_id": 0,
    "rms_norm_eps": 1e-06,
    "rope_local_base_freq": 10000.0,
    "rope_scaling": None,
    "rope_theta": 1000000.0,
    "sliding_window": 512,
    "torch_dtype": "bfloat16",
    "vocab_size": 496,
    "vocab_size_per_layer_input": 488,
}
TEXT = {key: value for key, value in CONFIG.items() if key not in ("architectures", "torch_dtype", "layer_types")}
TEXT |= {"activation_sparsity_pattern": None, "intermediate_size": 96, "num_hidden_layers": 2}
CONDITIONAL = {
    "architectures": ["Gemma3nForConditionalGeneration"],
    "boi_token_id": 470,
    "eoi_token_id": 471,
    "image_token_id": 472,
    "model_type": "gemma3n",
    "text_config": TEXT,
    "torch_dtype": "bfloat16",
}


def text_part(n_layer: int) -> Shapes:
    """Give the tensors of google/gemma-3n-E4B-it's text part, and one each of its other parts."""
    n_embd, n_ff, n_low, n_per_layer = 128, 96, 64, 256
    block = {
        **{f"self_attn.{part}_proj": (rows, n_embd) for part, rows in (("q", 128), ("k", 64), ("v", 64), ("o", 128))},
        **{f"self_attn.{part}_norm": (32,) for part in "qk"},
        **{f"{kind}_layernorm": (n_embd,) for kind in
           ("input", "post_attention", "pre_feedforward", "post_feedforward")},
        "mlp.gate_proj": (n_ff, n_embd), "mlp.up_proj": (n_ff, n_embd), "mlp.down_proj": (n_embd, n_ff),
        "altup.correction_coefs": (4, 4), "altup.prediction_coefs": (16, 4), "altup.modality_router": (4, n_embd),
        "altup.router_norm": (n_embd,), "laurel.linear_left": (n_low, n_embd), "laurel.linear_right": (n_embd, n_low),
        "laurel.post_laurel_norm": (n_embd,), "per_layer_input_gate": (n_per_layer, n_embd),
        "per_layer_projection": (n_embd, n_per_layer), "post_per_layer_input_norm": (n_embd,),
    }  # fmt: skip
    shapes = {f"layers.{i}.{name}.weight": shape for i in range(n_layer) for name, shape in block.items()}
    shapes |= {f"layers.{i}.altup.correct_output_scale": (n_embd,) for i in range(n_layer)}
    shapes |= {f"altup_{kind}projections.{e}.weight": (n_embd, n_embd) for kind in ("", "unembed_") for e in range(3)}
    shapes |= {
        "embed_tokens.weight": (496, n_embd), "embed_tokens_per_layer.weight": (488, n_layer * n_per_layer),
        "norm.weight": (n_embd,), "per_layer_model_projection.weight": (n_layer * n_per_layer, n_embd),
        "per_layer_projection_norm.weight": (n_per_layer,),
    }  # fmt: skip
    others = {
        "model.audio_tower.conformer.0.attention.attn.q_proj.weight": (32, 32),
        "model.embed_audio.embedding.weight": (16, 32),
        "model.embed_vision.embedding_projection.weight": (n_embd, 32),
        "model.vision_tower.timm_model.conv_stem.conv.weight": (8, 3, 3, 3),
    }
    return {f"model.language_model.{name}": shape for name, shape in shapes.items()} | others


CASES = {
    "gemma3n": Case(CONDITIONAL, tokenizer="spm_gemma", tensors=text_part(2)),
    "gemma3n-causal": Case(CONFIG, tokenizer="spm_gemma"),
}
