"""gpt-oss: experts in MXFP4 as the repositories have them, and in BF16 as training saves them."""

from tests.goldens.case import Case, Shapes

QUANTIZED = {
    "modules_to_not_convert": [
        "model.layers.*.self_attn",
        "model.layers.*.mlp.router",
        "model.embed_tokens",
        "lm_head",
    ],
    "quant_method": "mxfp4",
}
CONFIG = {
    "architectures": ["GptOssForCausalLM"],
    "attention_bias": True,
    "attention_dropout": 0.0,
    "eos_token_id": 288,
    "experts_per_token": 2,
    "head_dim": 32,
    "hidden_act": "silu",
    "hidden_size": 96,
    "initial_context_length": 4096,
    "initializer_range": 0.02,
    "intermediate_size": 64,
    "layer_types": ["sliding_attention", "full_attention"],
    "max_position_embeddings": 131072,
    "model_type": "gpt_oss",
    "num_attention_heads": 4,
    "num_experts_per_tok": 2,
    "num_hidden_layers": 2,
    "num_key_value_heads": 2,
    "num_local_experts": 4,
    "output_router_logits": False,
    "pad_token_id": 286,
    "rms_norm_eps": 1e-05,
    "rope_scaling": {
        "beta_fast": 32.0,
        "beta_slow": 1.0,
        "factor": 32.0,
        "original_max_position_embeddings": 4096,
        "rope_type": "yarn",
        "truncate": False,
    },
    "rope_theta": 150000,
    "router_aux_loss_coef": 0.9,
    "sliding_window": 128,
    "swiglu_limit": 7.0,
    "tie_word_embeddings": False,
    "vocab_size": 300,
}
SHIFTED = {"layer_types": ["full_attention", "sliding_attention"], "torch_dtype": "bfloat16"}


def packed(shapes: Shapes) -> Shapes:
    """Give the experts' weights as MXFP4: from (experts, in, out) to blocks and scales with out first."""
    renamed: dict[str, tuple[int, ...]] = {}
    for name, shape in shapes.items():
        if name.endswith((".gate_up_proj", ".down_proj")):
            n_expert, n_in, n_out = shape
            renamed[f"{name}_blocks"] = (n_expert, n_out, n_in // 32, 16)
            renamed[f"{name}_scales"] = (n_expert, n_out, n_in // 32)
        else:
            renamed[name] = shape
    return renamed


CASES = {
    "gpt_oss": Case(
        CONFIG | {"quantization_config": QUANTIZED},
        rename=packed,
        dtypes={r".*_(blocks|scales)": "U8"},
        values={r".*_blocks": "below:256", r".*_scales": "below:128"},
    ),
    "gpt_oss-bf16": Case(CONFIG | SHIFTED),
}
