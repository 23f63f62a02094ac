"""What the families with latent attention, and others with dense layers first, say of configs that no golden shows."""

from collections.abc import Collection
from typing import Any

import numpy as np
import pytest

from converters.errors import BadCheckpoint, UnsupportedModel
from converters.families.deepseek_v2 import DeepseekV2
from converters.families.deepseek_v3 import DeepseekV3
from converters.families.glm4 import Glm4
from converters.families.glm4_moe import Glm4Moe
from converters.families.glm4_moe_lite import Glm4MoeLite
from converters.registry import find_family
from tests.support.transforming import applied

CONFIG = {
    "hidden_size": 64, "intermediate_size": 96, "moe_intermediate_size": 32, "num_hidden_layers": 4, "vocab_size": 300,
    "num_attention_heads": 3, "num_experts_per_tok": 2, "n_routed_experts": 4, "n_shared_experts": 1, "q_lora_rank": 16,
    "kv_lora_rank": 6, "qk_nope_head_dim": 4, "qk_rope_head_dim": 2, "v_head_dim": 5,
}  # fmt: skip
NEXTN = ["model.layers.4.eh_proj.weight", "model.layers.3.input_layernorm.weight"]


def model(**changes: Any) -> DeepseekV2:
    return DeepseekV2.from_config(CONFIG | changes)


def test_keys_and_values_are_taken_apart_and_keys_transposed() -> None:
    stored = np.arange(3 * (4 + 5) * 6, dtype=np.float32).reshape(27, 6)
    heads = stored.reshape(3, 9, 6)
    keys, values = (model().transform(f"blk.{{i}}.attn_{part}_b.weight") for part in "kv")
    assert np.array_equal(applied(keys, stored, 4), heads[:, :4].transpose(0, 2, 1))
    assert np.array_equal(applied(values, stored, 6), heads[:, 4:])


def test_a_router_of_version_three_is_a_sigmoid_whatever_config_json_says() -> None:
    assert "deepseek2.expert_gating_func" not in model().metadata()
    assert DeepseekV3.from_config(CONFIG).metadata()["deepseek2.expert_gating_func"].data == 2


@pytest.mark.parametrize(
    ("family", "names", "n_block"),
    [(Glm4MoeLite, NEXTN, 5), (Glm4MoeLite, NEXTN[1:], 4), (DeepseekV3, NEXTN, 4), (Glm4Moe, NEXTN, 5)],
)
def test_layers_for_further_tokens_count_where_they_are_stored_and_kept(
    family: type[DeepseekV2], names: Collection[str], n_block: int
) -> None:
    config = CONFIG | {"num_nextn_predict_layers": 1, "num_key_value_heads": 3, "head_dim": 8}
    made = family.from_config(config, names)
    assert made.n_block == n_block
    assert made.model_sizes().n_layer_nextn == n_block - 4
    assert made.drops("model.layers.4.eh_proj.weight") == (family is DeepseekV3)


def test_dense_layers_are_counted_from_their_kinds() -> None:
    kinds = ["dense", "dense", "sparse", "sparse"]
    assert Glm4MoeLite.from_config(CONFIG | {"mlp_layer_types": kinds}).n_dense == 2
    assert Glm4MoeLite.from_config(CONFIG).n_dense == 1
    assert Glm4MoeLite.from_config(CONFIG | {"first_k_dense_replace": 3, "mlp_layer_types": kinds}).n_dense == 3


@pytest.mark.parametrize(
    "changes",
    [
        {"kv_lora_rank": 0},
        {"qk_rope_head_dim": 0},
        {"num_experts_per_tok": 5},
        {"first_k_dense_replace": 5},
        {"routed_scaling_factor": "x"},
        {"rope_scaling": {"type": "yarn", "factor": 2, "original_max_position_embeddings": 64, "mscale_all_dim": "x"}},
    ],
)
def test_senseless_configs_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(BadCheckpoint):
        model(**changes)


def test_what_llama_cpp_does_not_do_is_refused() -> None:
    with pytest.raises(UnsupportedModel, match=r"of 4 layers, .* only knows for 26 or 27"):
        model(q_lora_rank=None)
    assert model(q_lora_rank=None, num_hidden_layers=27).q_rank == 0
    with pytest.raises(UnsupportedModel, match="Only some"):
        model(moe_layer_freq=2)


@pytest.mark.parametrize("factor", [0, 0.3, 1.5, float("nan"), "x"])
def test_rotary_rows_of_glm_that_cannot_be_are_refused(factor: Any) -> None:
    config = {key: CONFIG[key] for key in ("hidden_size", "num_hidden_layers", "num_attention_heads", "vocab_size")}
    with pytest.raises(BadCheckpoint):
        Glm4.from_config(config | {"head_dim": 10, "partial_rotary_factor": factor})


def test_images_beside_a_text_model_of_version_three() -> None:
    config = CONFIG | {"architectures": ["KimiVLForConditionalGeneration"]}
    family = find_family(config)[1].from_config(config)
    assert family.canonical("language_model.model.norm.weight") == "model.norm.weight"
    assert family.canonical("language_model.lm_head.weight") == "lm_head.weight"
    assert family.drops("vision_tower.blocks.0.weight")
