"""DeepSeek-V3: a sigmoid and a bias choose the experts; the layer behind the last is left out."""

from tests.goldens.case import Case
from tests.goldens.cases import deepseek_v2
from tests.goldens.cases.glm4_moe import BIAS_F32, nextn_layer

CONFIG = deepseek_v2.CONFIG | {
    "architectures": ["DeepseekV3ForCausalLM"],
    "ep_size": 1,
    "first_k_dense_replace": 2,
    "model_type": "deepseek_v3",
    "n_shared_experts": 1,
    "norm_topk_prob": True,
    "num_nextn_predict_layers": 1,
    "rope_scaling": deepseek_v2.YARN | {"mscale": 1.0, "mscale_all_dim": 1.0},
    "routed_scaling_factor": 2.5,
    "scoring_func": "sigmoid",
    "topk_method": "noaux_tc",
}
SAVED_ANEW = {key: value for key, value in CONFIG.items() if key not in ("scoring_func", "topk_method")}

CASES = {
    "deepseek_v3": Case(CONFIG, rename=lambda shapes: nextn_layer(shapes, 3, 96), dtypes=BIAS_F32),
    "deepseek_v3-saved-anew": Case(SAVED_ANEW | {"num_hidden_layers": 2, "first_k_dense_replace": 1}),
}
