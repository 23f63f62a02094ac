"""Granite with experts: gates and ups in one tensor; shared experts too."""

from tests.goldens.case import Case
from tests.goldens.cases import granite

CONFIG = granite.CONFIG | {
    "architectures": ["GraniteMoeForCausalLM"],
    "intermediate_size": 96,
    "model_type": "granitemoe",
    "num_experts_per_tok": 2,
    "num_local_experts": 5,
    "output_router_logits": False,
    "router_aux_loss_coef": 0.0,
}
SHARED = CONFIG | {
    "architectures": ["GraniteMoeSharedForCausalLM"],
    "model_type": "granitemoeshared",
    "shared_intermediate_size": 160,
}

CASES = {
    "granitemoe": Case(CONFIG),
    "granitemoeshared": Case(SHARED),
    "granitemoeshared-none": Case(SHARED | {"shared_intermediate_size": 0}),
}
