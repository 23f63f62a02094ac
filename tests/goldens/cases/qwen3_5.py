"""Qwen3.5, dense: value heads as many as key heads or more, within a model that sees or alone."""

from typing import Any

from tests.goldens.case import Case
from tests.goldens.cases.qwen3_next import VALUES, with_mtp

TEXT: dict[str, Any] = {
    "attention_bias": False,
    "attention_dropout": 0.0,
    "attn_output_gate": True,
    "dtype": "bfloat16",
    "eos_token_id": 288,
    "full_attention_interval": 2,
    "head_dim": 32,
    "hidden_act": "silu",
    "hidden_size": 64,
    "initializer_range": 0.02,
    "intermediate_size": 160,
    "layer_types": ["linear_attention", "full_attention"],
    "linear_conv_kernel_dim": 4,
    "linear_key_head_dim": 16,
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 6,
    "linear_value_head_dim": 16,
    "mamba_ssm_dtype": "float32",
    "max_position_embeddings": 262144,
    "model_type": "qwen3_5_text",
    "mtp_num_hidden_layers": 1,
    "mtp_use_dedicated_embeddings": False,
    "num_attention_heads": 4,
    "num_hidden_layers": 2,
    "num_key_value_heads": 2,
    "rms_norm_eps": 1e-06,
    "rope_parameters": {
        "mrope_interleaved": True,
        "mrope_section": [2, 1, 1],
        "partial_rotary_factor": 0.25,
        "rope_theta": 10000000,
        "rope_type": "default",
    },
    "tie_word_embeddings": False,
    "use_cache": True,
    "vocab_size": 304,
}
VISION = {"depth": 1, "hidden_act": "gelu_pytorch_tanh", "hidden_size": 32, "in_channels": 3, "intermediate_size": 64,
          "num_heads": 2, "num_position_embeddings": 16, "out_hidden_size": 64, "patch_size": 4,
          "spatial_merge_size": 2, "temporal_patch_size": 2}  # fmt: skip
CONFIG = {
    "architectures": ["Qwen3_5ForConditionalGeneration"],
    "image_token_id": 289,
    "model_type": "qwen3_5",
    "text_config": TEXT,
    "tie_word_embeddings": False,
    "video_token_id": 290,
    "vision_config": VISION,
    "vision_end_token_id": 290,
    "vision_start_token_id": 289,
}
ALONE = TEXT | {"architectures": ["Qwen3_5ForCausalLM"]}
PLAIN_ROPE = {"rope_theta": 10000000, "rope_type": "default"}
DTYPES = {r".*(A_log|linear_attn\.norm\.weight)": "F32"}

CASES = {
    "qwen3_5": Case(CONFIG, rename=with_mtp, values=VALUES, dtypes=DTYPES),
    "qwen3_5-same-heads": Case(
        CONFIG | {"text_config": TEXT | {"linear_num_value_heads": 2, "tie_word_embeddings": True},
                  "tie_word_embeddings": True},
        rename=with_mtp, values=VALUES, dtypes=DTYPES,
    ),
    "qwen3_5-alone": Case(
        ALONE | {"head_dim": 256, "rope_parameters": PLAIN_ROPE}, rename=with_mtp, values=VALUES
    ),
    "qwen3_5-no-mtp": Case(ALONE | {"layer_types": None}, values=VALUES, options=("--no-mtp",)),
}  # fmt: skip
