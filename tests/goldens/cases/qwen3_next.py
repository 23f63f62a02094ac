"""Qwen3-Next: delta nets and full attention, experts in either form, with and without the block that predicts."""

from tests.goldens.case import Case, Shapes
from tests.goldens.cases.qwen2_moe import fused

CONFIG = {
    "architectures": ["Qwen3NextForCausalLM"],
    "attention_bias": False,
    "attention_dropout": 0.0,
    "bos_token_id": 286,
    "decoder_sparse_step": 1,
    "eos_token_id": 288,
    "full_attention_interval": 2,
    "head_dim": 32,
    "hidden_act": "silu",
    "hidden_size": 64,
    "initializer_range": 0.02,
    "intermediate_size": 160,
    "linear_conv_kernel_dim": 4,
    "linear_key_head_dim": 16,
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 4,
    "linear_value_head_dim": 16,
    "max_position_embeddings": 262144,
    "mlp_only_layers": [],
    "model_type": "qwen3_next",
    "moe_intermediate_size": 32,
    "norm_topk_prob": True,
    "num_attention_heads": 4,
    "num_experts": 4,
    "num_experts_per_tok": 2,
    "num_hidden_layers": 2,
    "num_key_value_heads": 2,
    "output_router_logits": False,
    "partial_rotary_factor": 0.25,
    "rms_norm_eps": 1e-06,
    "rope_scaling": None,
    "rope_theta": 10000000,
    "router_aux_loss_coef": 0.001,
    "shared_expert_intermediate_size": 96,
    "tie_word_embeddings": False,
    "torch_dtype": "bfloat16",
    "use_cache": True,
    "use_sliding_window": False,
    "vocab_size": 304,
}
KINDS = CONFIG | {"layer_types": ["full_attention", "linear_attention", "linear_attention"], "num_hidden_layers": 3}
VALUES = {r".*A_log": "positive"}


def with_mtp(shapes: Shapes) -> Shapes:
    """The tensors of mtp., which the HF class leaves out: one layer of full attention, and what leads to it."""
    n_embd = shapes["model.norm.weight"][0] if "model.norm.weight" in shapes else _n_embd(shapes)
    attending = next(name for name in shapes if name.endswith("self_attn.q_proj.weight"))
    prefix = attending.removesuffix("self_attn.q_proj.weight")
    layer = {
        f"mtp.layers.0.{name.removeprefix(prefix)}": shape for name, shape in shapes.items() if name.startswith(prefix)
    }
    norms = ("mtp.norm.weight", "mtp.pre_fc_norm_embedding.weight", "mtp.pre_fc_norm_hidden.weight")
    return {**shapes, **layer, **dict.fromkeys(norms, (n_embd,)), "mtp.fc.weight": (n_embd, 2 * n_embd)}


def _n_embd(shapes: Shapes) -> int:
    return shapes["model.language_model.norm.weight"][0]


def fused_trunk(shapes: Shapes) -> Shapes:
    """Fused experts in the layers, single ones in mtp."""
    mtp = {name: shape for name, shape in with_mtp(shapes).items() if name.startswith("mtp.")}
    return {**fused(shapes), **mtp}


CASES = {
    "qwen3_next": Case(CONFIG, rename=with_mtp, values=VALUES),
    "qwen3_next-kinds": Case(KINDS, rename=with_mtp, values=VALUES),
    "qwen3_next-fused": Case(CONFIG, rename=lambda shapes: fused(with_mtp(shapes)), values=VALUES),
    "qwen3_next-fused-trunk": Case(CONFIG, rename=fused_trunk, values=VALUES),
    "qwen3_next-no-mtp": Case(CONFIG, values=VALUES, options=("--no-mtp",)),
}
