"""What the Gemma 4 family says of configs and checkpoints that no golden can show."""

from typing import Any

import pytest

from converters.errors import BadCheckpoint, UnsupportedModel
from converters.families.gemma4 import Gemma4

# google/gemma-4-E2B-it
CONFIG = {
    "hidden_size": 1536, "intermediate_size": 6144, "num_hidden_layers": 35, "num_attention_heads": 8,
    "num_key_value_heads": 1, "num_kv_shared_layers": 20, "use_double_wide_mlp": True,
    "layer_types": ["sliding_attention" if (i + 1) % 5 else "full_attention" for i in range(35)],
}  # fmt: skip


def keys(n_layer: int) -> list[str]:
    return [f"model.language_model.layers.{i}.self_attn.k_proj.weight" for i in range(n_layer)]


def family(n_kv_layer: int = 35, **changes: Any) -> Gemma4:
    return Gemma4.from_config(CONFIG | changes, keys(n_kv_layer))


def test_the_last_layers_are_twice_as_wide() -> None:
    values = family().metadata()
    assert values["gemma4.feed_forward_length"].data == [6144] * 15 + [12288] * 20
    assert values["gemma4.attention.shared_kv_layers"].data == 20


@pytest.mark.parametrize("n_kv_layer", [15, 35])
def test_unused_keys_may_be_stored(n_kv_layer: int) -> None:
    model = family(n_kv_layer)
    assert model.has("model.layers.{i}.self_attn.k_proj.weight", 34) == (n_kv_layer == 35)
    assert model.has("model.layers.{i}.self_attn.q_proj.weight", 34)


@pytest.mark.parametrize("n_kv_layer", [0, 14, 20])
def test_missing_keys_are_a_damaged_checkpoint(n_kv_layer: int) -> None:
    with pytest.raises(BadCheckpoint, match=f"keys of {n_kv_layer} layers"):
        family(n_kv_layer)


@pytest.mark.parametrize("stated", [None, 0, 256])
def test_inputs_for_every_layer_are_told_by_the_tensors(stated: int | None) -> None:
    plain = family(hidden_size_per_layer_input=stated)
    assert plain.metadata()["gemma4.embedding_length_per_layer_input"].data == 0
    assert not any("per_layer" in name for name in plain.table(()))
    names = [*keys(35), "model.language_model.per_layer_projection_norm.weight"]
    assert Gemma4.from_config(CONFIG, names).metadata()["gemma4.embedding_length_per_layer_input"].data == 256


def test_where_keys_are_values_only_sliding_layers_store_values() -> None:
    """google/gemma-4-31B-it has 4 key-value heads of 512 where it sees everything, 16 of 256 elsewhere."""
    large = {"attention_k_eq_v": True, "num_key_value_heads": 16, "num_global_key_value_heads": 4,
             "num_attention_heads": 32}  # fmt: skip
    model = family(**large)
    assert [i for i in range(35) if not model.has("model.layers.{i}.self_attn.v_proj.weight", i)] == [*range(4, 35, 5)]
    assert model.metadata()["gemma4.attention.head_count_kv"].data == ([16] * 4 + [4]) * 7


def test_frequencies_that_are_not_used_are_divided_away() -> None:
    factors = family().computed()["rope_freqs.weight"]
    assert factors.shape == (256,)
    assert factors.tolist() == pytest.approx([1.0] * 64 + [1e30] * 192)


@pytest.mark.parametrize(
    "changes",
    [
        {"use_bidirectional_attention": "all"},
        {"rope_parameters": {"full_attention": {"rope_type": "default", "rope_theta": 1e6}}},
    ],
)
def test_what_llama_cpp_does_not_do_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(UnsupportedModel, match="Gemma 4"):
        family(**changes)
