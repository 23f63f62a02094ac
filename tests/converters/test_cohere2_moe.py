"""Cohere 2 with experts: which layers are dense or see a window, and what the engine cannot do."""

from typing import Any

import pytest

from converters.errors import UnsupportedModel
from converters.families.cohere2_moe import Cohere2Moe

CONFIG = {
    "hidden_size": 64, "intermediate_size": 32, "num_hidden_layers": 4, "num_attention_heads": 4, "vocab_size": 300,
    "prefix_dense_intermediate_size": 96,
}  # fmt: skip
SPARSE = ["dense", "dense", "sparse", "sparse"]


@pytest.mark.parametrize(
    ("stated", "n_dense"),
    [({}, 0), ({"first_k_dense_replace": 1}, 1), ({"mlp_layer_types": SPARSE, "first_k_dense_replace": 1}, 2)],
)
def test_the_first_layers_are_dense(stated: dict[str, Any], n_dense: int) -> None:
    model = Cohere2Moe.from_config(CONFIG | stated)
    assert model.metadata()["cohere2moe.leading_dense_block_count"].data == n_dense
    assert (model.n_ff, model.n_ff_expert) == (96, 32)


@pytest.mark.parametrize(
    ("stated", "slides"),
    [
        ({}, [True, True, True, False]),
        ({"first_k_dense_replace": 1}, [False, True, True, True]),
        ({"first_k_dense_replace": 2, "prefix_dense_sliding_window_pattern": 2}, [True, False, True, True]),
        ({"layer_types": ["full_attention", *["sliding_attention"] * 3]}, [False, True, True, True]),
    ],
)
def test_windows_count_anew_behind_the_dense_layers(stated: dict[str, Any], slides: list[bool]) -> None:
    values = Cohere2Moe.from_config(CONFIG | stated).metadata()
    assert values["cohere2moe.attention.sliding_window_pattern"].data == slides


@pytest.mark.parametrize(("chosen_by", "normalizes"), [("softmax", True), ("sigmoid", False)])
def test_scores_of_a_softmax_always_add_up_to_one(chosen_by: str, normalizes: bool) -> None:
    """The HF class takes the softmax of the chosen experts' scores only."""
    model = Cohere2Moe.from_config(CONFIG | {"expert_selection_fn": chosen_by, "norm_topk_prob": False})
    assert model.metadata()["cohere2moe.expert_weights_norm"].data == normalizes


@pytest.mark.parametrize(
    ("stated", "words"),
    [
        ({"mlp_layer_types": ["sparse", "dense", "sparse", "sparse"]}, "dense layers behind"),
        ({"num_shared_experts": 1, "shared_expert_combination_strategy": "sum"}, "shared expert"),
    ],
)
def test_what_the_engine_does_not_do_is_refused(stated: dict[str, Any], words: str) -> None:
    with pytest.raises(UnsupportedModel, match=words):
        Cohere2Moe.from_config(CONFIG | stated)
