"""Nemotron-H: Mamba 2, attention and feed-forward layers in patterns; with experts, in a latent space too, and a
block that predicts a further token."""

from tests.goldens.case import Case, Shapes

CONFIG = {
    "architectures": ["NemotronHForCausalLM"],
    "attention_bias": False,
    "attention_dropout": 0.0,
    "bos_token_id": 286,
    "chunk_size": 128,
    "conv_kernel": 4,
    "eos_token_id": 288,
    "expand": 2,
    "head_dim": 16,
    "hidden_dropout": 0.0,
    "hidden_size": 64,
    "hybrid_override_pattern": "M-M*-",
    "initializer_range": 0.02,
    "intermediate_size": 96,
    "layer_norm_epsilon": 1e-05,
    "mamba_head_dim": 32,
    "mamba_hidden_act": "silu",
    "mamba_num_heads": 8,
    "mamba_proj_bias": False,
    "max_position_embeddings": 131072,
    "mlp_bias": False,
    "mlp_hidden_act": "relu2",
    "model_type": "nemotron_h",
    "n_groups": 2,
    "num_attention_heads": 8,
    "num_hidden_layers": 5,
    "num_key_value_heads": 2,
    "num_logits_to_keep": 1,
    "pad_token_id": 0,
    "rescale_prenorm_residual": True,
    "residual_in_fp32": False,
    "rms_norm_eps": 1e-05,
    "sliding_window": None,
    "ssm_state_size": 16,
    "tie_word_embeddings": False,
    "time_step_floor": 0.0001,
    "time_step_max": 0.1,
    "time_step_min": 0.001,
    "torch_dtype": "bfloat16",
    "use_bias": False,
    "use_cache": True,
    "use_conv_bias": True,
    "use_mamba_kernels": True,
    "vocab_size": 304,
}
OLD = {key: value for key, value in CONFIG.items() if key != "head_dim"} | {
    "attention_head_dim": 16,
    "hybrid_override_pattern": "M*-",
    "mlp_bias": True,
    "num_hidden_layers": 3,
}
MOE = CONFIG | {
    "hybrid_override_pattern": "MEM*E",
    "moe_intermediate_size": 32,
    "moe_shared_expert_intermediate_size": 64,
    "n_group": 1,
    "n_routed_experts": 4,
    "n_shared_experts": 1,
    "norm_eps": 1e-05,
    "norm_topk_prob": True,
    "num_experts_per_tok": 2,
    "partial_rotary_factor": 1.0,
    "rope_theta": 10000,
    "routed_scaling_factor": 2.5,
    "topk_group": 1,
}
NEW = {key: value for key, value in MOE.items() if key not in ("hybrid_override_pattern", "num_hidden_layers")} | {
    "layers_block_type": ["mamba", "moe", "attention"],
    "moe_latent_size": 32,
    "num_nextn_predict_layers": 1,
    "mtp_hybrid_override_pattern": "*E",
}
MOE_PARTS = {
    "gate.weight": (4, 64),
    "gate.e_score_correction_bias": (4,),
    "fc1_latent_proj.weight": (32, 64),
    "fc2_latent_proj.weight": (64, 32),
    "shared_experts.up_proj.weight": (64, 64),
    "shared_experts.down_proj.weight": (64, 64),
    **{f"experts.{e}.up_proj.weight": (32, 32) for e in range(4)},
    **{f"experts.{e}.down_proj.weight": (32, 32) for e in range(4)},
}
ATTENTION = {"q_proj": (128, 64), "k_proj": (32, 64), "v_proj": (32, 64), "o_proj": (64, 128)}
MTP = {
    "mtp.layers.0.enorm.weight": (64,),
    "mtp.layers.0.hnorm.weight": (64,),
    "mtp.layers.0.eh_proj.weight": (64, 128),
    "mtp.layers.0.norm.weight": (64,),
    **{f"mtp.layers.0.mixer.{part}.weight": shape for part, shape in ATTENTION.items()},
    "mtp.layers.1.norm.weight": (64,),
    **{f"mtp.layers.1.mixer.{part}": shape for part, shape in MOE_PARTS.items()},
    "mtp.layers.1.final_layernorm.weight": (64,),
}
F32 = {r".*e_score_correction_bias": "F32", r".*\.mixer\.(A_log|D|dt_bias)": "F32"}


def narrow(shapes: Shapes) -> Shapes:
    """Heads of 16 values; the HF class knows no attention_head_dim, only older repositories' own code does."""
    attention = {f"backbone.layers.1.mixer.{part}.weight": shape for part, shape in ATTENTION.items()}
    return {**shapes, **attention}


CASES = {
    "nemotron_h": Case(CONFIG, stated_config=True, folder="Nemotron-H-Tiny-8B-Base-8K"),
    "nemotron_h-old": Case(OLD, rename=narrow, stated_config=True),
    "nemotron_h-moe": Case(MOE, dtypes=F32, stated_config=True, folder="NVIDIA-Nemotron-3-Nano-Tiny-30B-A3B-BF16"),
    "nemotron_h-mtp": Case(NEW, dtypes=F32, extra=MTP),
}
