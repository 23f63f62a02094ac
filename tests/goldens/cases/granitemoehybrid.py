"""Granite 4: Mamba 2 and attention layers, with experts or without; and without any Mamba 2 layer."""

from tests.goldens.case import Case
from tests.goldens.cases import granitemoe

CONFIG = granitemoe.SHARED | {
    "architectures": ["GraniteMoeHybridForCausalLM"],
    "init_method": "mup",
    "layer_types": ["mamba", "mamba", "attention", "mamba"],
    "mamba_chunk_size": 256,
    "mamba_conv_bias": True,
    "mamba_d_conv": 4,
    "mamba_d_head": 32,
    "mamba_d_state": 16,
    "mamba_expand": 2,
    "mamba_n_groups": 1,
    "mamba_n_heads": 8,
    "mamba_proj_bias": False,
    "model_type": "granitemoehybrid",
    "normalization_function": "rmsnorm",
    "num_hidden_layers": 4,
    "position_embedding_type": "nope",
    "vocab_size": 304,
}
DENSE = CONFIG | {
    "intermediate_size": 160,
    "layer_types": ["attention", "mamba"],
    "mamba_n_groups": 2,
    "num_experts_per_tok": 0,
    "num_hidden_layers": 2,
    "num_local_experts": 0,
}
ATTENTION = {"layer_types": ["attention", "attention"], "num_hidden_layers": 2, "position_embedding_type": "rope"}

CASES = {
    "granitemoehybrid": Case(CONFIG),
    "granitemoehybrid-dense": Case(DENSE, dtypes={r".*\.(A_log|D|dt_bias)": "F32"}),
    "granitemoehybrid-attention": Case(DENSE | ATTENTION),
    "granitemoehybrid-attention-moe": Case(CONFIG | ATTENTION),
}
