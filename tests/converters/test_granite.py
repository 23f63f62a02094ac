"""What the Granite families say of configs that no golden shows."""

from typing import Any

import pytest

from converters.errors import BadCheckpoint, UnsupportedModel
from converters.families.granite import Granite
from converters.families.granitemoe import GraniteMoe
from converters.families.granitemoehybrid import AllAttention, AllAttentionMoe, GraniteMoeHybrid
from converters.registry import find_family

CONFIG = {
    "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 3, "num_attention_heads": 4, "vocab_size": 300,
    "num_key_value_heads": 2, "num_local_experts": 4, "num_experts_per_tok": 2, "shared_intermediate_size": 32,
    "mamba_n_heads": 8, "mamba_d_state": 16, "layer_types": ["mamba", "attention", "mamba"],
}  # fmt: skip


def hybrid(**changes: Any) -> GraniteMoeHybrid:
    return GraniteMoeHybrid.from_config(CONFIG | changes)


def test_a_multiplier_of_zero_is_not_written() -> None:
    written = Granite.from_config(CONFIG | {"num_local_experts": 0, "residual_multiplier": 0}).metadata()
    assert "granite.residual_scale" not in written
    assert written["granite.embedding_scale"].data == 1.0


def test_layers_are_of_the_kinds_that_old_and_new_configs_name() -> None:
    new = hybrid(layer_types=["linear_attention", "full_attention", "linear_attention"])
    assert new.attention_layers == hybrid().attention_layers == [False, True, False]
    assert new.metadata()["granitehybrid.attention.head_count_kv"].data == [0, 2, 0]


def test_a_model_without_mamba_is_of_another_architecture() -> None:
    name, attention = "GraniteMoeHybridForCausalLM", {"layer_types": ["attention"] * 3}
    config = {**CONFIG, "architectures": [name]}
    assert find_family(config)[1] is GraniteMoeHybrid
    assert find_family({**config, **attention})[1] is AllAttentionMoe
    assert find_family({**config, **attention, "num_experts_per_tok": 0})[1] is AllAttention


def test_the_first_layer_tells_how_many_heads_share_keys() -> None:
    assert hybrid().model_sizes().gqa == 0
    assert hybrid(layer_types=["attention", "mamba", "mamba"]).model_sizes().gqa == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"layer_types": ["mamba", "conv", "mamba"]},
        {"layer_types": ["mamba", ["attention"], "mamba"]},
        {"layer_types": ["mamba"]},
        {"mamba_n_heads": 7},
        {"mamba_n_groups": 0},
        {"mamba_n_groups": 3},
        {"num_experts_per_tok": 5},
        {"attention_multiplier": float("nan")},
    ],
)
def test_senseless_configs_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(BadCheckpoint):
        hybrid(**changes)


@pytest.mark.parametrize(
    ("changes", "message"), [({"mamba_expand": 4}, "4 times as wide"), ({"hidden_act": "gelu"}, "'gelu', not silu")]
)
def test_what_llama_cpp_does_not_do_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UnsupportedModel, match=message):
        hybrid(**changes)


def test_more_experts_used_than_there_are_is_refused() -> None:
    with pytest.raises(BadCheckpoint, match="9 of 4 experts"):
        GraniteMoe.from_config(CONFIG | {"num_experts_per_tok": 9})
