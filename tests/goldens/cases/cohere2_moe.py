"""Cohere 2 with experts: a dense layer first, shared experts or none, a block that predicts a further token."""

from tests.goldens.case import Case, Shapes

CONFIG = {
    "architectures": ["Cohere2MoeForCausalLM"],
    "attention_bias": False,
    "attention_dropout": 0.0,
    "bos_token_id": 286,
    "eos_token_id": 288,
    "expert_selection_fn": "sigmoid",
    "first_k_dense_replace": 1,
    "head_dim": 32,
    "hidden_act": "silu",
    "hidden_size": 64,
    "initializer_range": 0.02,
    "intermediate_size": 32,
    "layer_norm_eps": 1e-05,
    "logit_scale": 0.25,
    "max_position_embeddings": 131072,
    "model_type": "cohere2_moe",
    "norm_topk_prob": True,
    "num_attention_heads": 4,
    "num_experts": 4,
    "num_experts_per_tok": 2,
    "num_hidden_layers": 3,
    "num_key_value_heads": 2,
    "num_shared_experts": 2,
    "pad_token_id": 0,
    "prefix_dense_intermediate_size": 96,
    "prefix_dense_sliding_window_pattern": 1,
    "rope_scaling": None,
    "rope_theta": 50000,
    "shared_expert_combination_strategy": "average",
    "sliding_window": 512,
    "sliding_window_pattern": 2,
    "tie_word_embeddings": True,
    "torch_dtype": "bfloat16",
    "vocab_size": 304,
}
NEW = {key: value for key, value in CONFIG.items() if key != "first_k_dense_replace"} | {
    "expert_selection_fn": "softmax",
    "layer_types": ["sliding_attention", "full_attention"],
    "mlp_layer_types": ["sparse", "sparse"],
    "num_hidden_layers": 2,
    "num_shared_experts": 0,
    "rms_norm_eps": 1e-06,
    "tie_word_embeddings": False,
}


def with_nextn(shapes: Shapes) -> Shapes:
    """A layer behind the last, with what leads to it, which the HF class leaves out."""
    last, behind = "model.layers.2.", "model.layers.3."
    layer = {name.replace(last, behind): shape for name, shape in shapes.items() if name.startswith(last)}
    more = {f"{behind}eh_proj.weight": (64, 128), f"{behind}shared_head.norm.weight": (64,)}
    return {**shapes, **layer, **more, **{f"{behind}{part}norm.weight": (64,) for part in "eh"}}


CASES = {
    "cohere2_moe": Case(CONFIG, folder="North-Mini-Tiny-1.0"),
    "cohere2_moe-new": Case(NEW),
    "cohere2_moe-nextn": Case(CONFIG | {"num_nextn_predict_layers": 1}, rename=with_nextn),
}
