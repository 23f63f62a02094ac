"""What the Gemma 3n family says of configs that no golden can show."""

from typing import Any

import pytest

from converters.errors import BadCheckpoint, UnsupportedModel
from converters.families.gemma3n import Gemma3n

# google/gemma-3n-E4B-it
CONFIG = {
    "hidden_size": 2048, "intermediate_size": [16384] * 35, "num_hidden_layers": 35, "num_attention_heads": 8,
    "num_key_value_heads": 2, "num_kv_shared_layers": 15,
}  # fmt: skip


def metadata(**changes: Any) -> dict[str, Any]:
    values = Gemma3n.from_config(CONFIG | changes).metadata()
    return {key.removeprefix("gemma3n."): value.data for key, value in values.items()}


def test_what_config_leaves_out_is_the_hf_class_s() -> None:
    found = metadata()
    assert found["activation_sparsity_scale"] == [pytest.approx(1.6448536)] * 10 + [float("-inf")] * 25
    assert found["attention.sliding_window_pattern"] == ([True] * 4 + [False]) * 7
    assert found["feed_forward_length"] == [16384] * 35
    assert (found["rope.freq_base"], found["rope.freq_base_swa"]) == (1e6, 1e4)


@pytest.mark.parametrize(
    "changes",
    [
        {"altup_num_inputs": 3},
        {"laurel_rank": 32},
        {"intermediate_size": [16384] * 34 + [8192]},
        {"num_kv_shared_layers": 10},
    ],
)
def test_what_llama_cpp_takes_for_granted_must_be_so(changes: dict[str, Any]) -> None:
    with pytest.raises(UnsupportedModel, match=r"llama\.cpp's gemma3n"):
        metadata(**changes)


@pytest.mark.parametrize("pattern", [[0.95], [0.95] * 34 + [1.0], [0.95] * 34 + ["x"], -1])
def test_a_senseless_sparsity_is_refused(pattern: Any) -> None:
    with pytest.raises(BadCheckpoint, match="activation_sparsity_pattern"):
        metadata(activation_sparsity_pattern=pattern)
