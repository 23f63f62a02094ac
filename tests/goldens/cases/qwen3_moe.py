"""Qwen3-MoE: experts one by one and fused; as small as its defaults allow."""

from tests.goldens.case import Case
from tests.goldens.cases.qwen2_moe import fused
from tests.goldens.cases.qwen3 import CONFIG as DENSE

CONFIG = DENSE | {
    "architectures": ["Qwen3MoeForCausalLM"],
    "decoder_sparse_step": 1,
    "head_dim": 32,
    "hidden_size": 64,
    "intermediate_size": 160,
    "max_position_embeddings": 262144,
    "mlp_only_layers": [],
    "model_type": "qwen3_moe",
    "moe_intermediate_size": 32,
    "norm_topk_prob": True,
    "num_experts": 8,
    "num_experts_per_tok": 2,
    "output_router_logits": False,
    "rope_theta": 10000000,
    "router_aux_loss_coef": 0.001,
}
BARE = {key: CONFIG[key] for key in ("architectures", "hidden_size", "model_type", "moe_intermediate_size",
        "num_attention_heads", "num_hidden_layers", "num_key_value_heads", "vocab_size")}  # fmt: skip

CASES = {
    "qwen3_moe": Case(CONFIG, folder="Qwen3-Tiny-30B-A3B-Instruct-2507"),
    "qwen3_moe-fused": Case(CONFIG, rename=fused),
    "qwen3_moe-bare": Case(BARE | {"num_hidden_layers": 1}, rename=fused),
    "qwen3_moe-tied": Case(CONFIG | {"num_experts": 4, "tie_word_embeddings": True}),
}
