"""OLMo 3: OLMo 2 with a window in three layers of four; older and newer rotary settings, pattern stated or not."""

from tests.goldens.case import Case
from tests.goldens.cases import olmo2

YARN = {
    "attention_factor": 1.2079441541679836,
    "beta_fast": 32.0,
    "beta_slow": 1.0,
    "factor": 8.0,
    "original_max_position_embeddings": 512,
    "rope_type": "yarn",
}
KINDS = ["sliding_attention", "sliding_attention", "sliding_attention", "full_attention", "sliding_attention"]
CONFIG = olmo2.CONFIG | {
    "architectures": ["Olmo3ForCausalLM"],
    "layer_types": KINDS,
    "model_type": "olmo3",
    "num_hidden_layers": 5,
    "num_key_value_heads": 2,
    "rope_scaling": YARN,
    "sliding_window": 512,
}
KIND_OF_ROPE = {
    "full_attention": YARN | {"rope_theta": 1000000.0},
    "sliding_attention": {"rope_type": "default", "rope_theta": 10000.0},
}
NEW = {key: value for key, value in CONFIG.items() if key not in ("rope_scaling", "rope_theta")}
SPARE = {key: value for key, value in CONFIG.items() if key not in ("layer_types", "sliding_window", "rope_scaling")}

CASES = {
    "olmo3": Case(CONFIG),
    "olmo3-new": Case(NEW | {"rope_parameters": KIND_OF_ROPE}),
    "olmo3-bare": Case(SPARE),
}
