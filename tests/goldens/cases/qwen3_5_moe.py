"""Qwen3.5 with experts, in either form."""

from tests.goldens.case import Case
from tests.goldens.cases.qwen2_moe import fused
from tests.goldens.cases.qwen3_5 import CONFIG as DENSE
from tests.goldens.cases.qwen3_5 import DTYPES, TEXT
from tests.goldens.cases.qwen3_next import VALUES, with_mtp

EXPERTS = {"model_type": "qwen3_5_moe_text", "moe_intermediate_size": 32, "num_experts": 4, "num_experts_per_tok": 2,
           "router_aux_loss_coef": 0.001, "shared_expert_intermediate_size": 48}  # fmt: skip
CONFIG = DENSE | {
    "architectures": ["Qwen3_5MoeForConditionalGeneration"],
    "model_type": "qwen3_5_moe",
    "text_config": {key: value for key, value in TEXT.items() if key != "intermediate_size"} | EXPERTS,
}

CASES = {
    "qwen3_5_moe": Case(CONFIG, rename=lambda shapes: fused(with_mtp(shapes)), values=VALUES, dtypes=DTYPES),
    "qwen3_5_moe-singly": Case(CONFIG, rename=with_mtp, values=VALUES, dtypes=DTYPES),
}
