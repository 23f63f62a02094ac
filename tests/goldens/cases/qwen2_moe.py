"""Qwen2-MoE: experts one by one, as repositories have them, and fused, as transformers 5 keeps them."""

import re

from tests.goldens.case import Case, Shapes
from tests.goldens.cases.qwen2 import CONFIG as DENSE

CONFIG = DENSE | {
    "architectures": ["Qwen2MoeForCausalLM"],
    "decoder_sparse_step": 1,
    "hidden_size": 64,
    "intermediate_size": 160,
    "mlp_only_layers": [],
    "model_type": "qwen2_moe",
    "moe_intermediate_size": 32,
    "norm_topk_prob": False,
    "num_experts": 4,
    "num_experts_per_tok": 2,
    "output_router_logits": False,
    "router_aux_loss_coef": 0.001,
    "shared_expert_intermediate_size": 96,
}
_GATE = re.compile(r"(.*\.experts)\.\d+\.gate_proj\.weight")


def fused(shapes: Shapes) -> Shapes:
    """Experts in one piece, gates above ups."""
    return _fused(shapes, "")


def fused_with_weight(shapes: Shapes) -> Shapes:
    """The same, as another exporter names them."""
    return _fused(shapes, ".weight")


def turned(shapes: Shapes) -> Shapes:
    """Fused experts with rows and columns exchanged."""
    return {
        name: (shape[0], shape[2], shape[1]) if name.endswith(("experts.gate_up_proj", "experts.down_proj")) else shape
        for name, shape in shapes.items()
    }


def _fused(shapes: Shapes, ending: str) -> Shapes:
    gates = [(match[1], shapes[match[0]]) for match in map(_GATE.fullmatch, shapes) if match]
    pieces: dict[str, tuple[int, ...]] = {}
    for prefix, (n_ff, n_embd) in gates:
        count = sum(prefix == other for other, _ in gates)
        pieces[f"{prefix}.gate_up_proj{ending}"] = (count, 2 * n_ff, n_embd)
        pieces[f"{prefix}.down_proj{ending}"] = (count, n_embd, n_ff)
    return {name: shape for name, shape in shapes.items() if ".experts." not in name} | pieces


def in_first_layer(shapes: Shapes) -> Shapes:
    """One layer's experts in one piece, the others' one by one."""
    first = {name: shape for name, shape in shapes.items() if ".layers.0." in name}
    return {name: shape for name, shape in shapes.items() if name not in first} | dict(fused(first))


CASES = {
    "qwen2_moe": Case(CONFIG),
    "qwen2_moe-fused": Case(CONFIG, rename=fused),
    "qwen2_moe-fused-weight": Case(CONFIG, rename=fused_with_weight),
    "qwen2_moe-fused-partly": Case(CONFIG, rename=in_first_layer),
}
