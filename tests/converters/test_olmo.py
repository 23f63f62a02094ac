"""What the OLMo families say of configs that no golden shows."""

from typing import Any

import pytest

from converters.errors import BadCheckpoint, UnsupportedModel
from converters.families.olmo3 import Olmo3
from converters.families.olmoe import Olmoe

CONFIG = {
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 5,
    "num_attention_heads": 4,
    "vocab_size": 300,
}


def test_a_pattern_that_is_not_stated_is_that_of_every_fourth_layer() -> None:
    written = Olmo3.from_config(CONFIG).metadata()
    assert written["olmo2.attention.sliding_window_pattern"].data == [True, True, True, False, True]
    assert (written["olmo2.attention.sliding_window"].data, written["olmo2.rope.freq_base_swa"].data) == (4096, 10000.0)


@pytest.mark.parametrize("kinds", [["full_attention"], "sliding_attention", [1, 2, 3, 4, 5]])
def test_senseless_kinds_of_layers_are_refused(kinds: Any) -> None:
    with pytest.raises(BadCheckpoint, match="layer_types"):
        Olmo3.from_config(CONFIG | {"layer_types": kinds})


def test_clipped_queries_and_too_many_experts_are_refused() -> None:
    with pytest.raises(UnsupportedModel, match="clips"):
        Olmoe.from_config(CONFIG | {"clip_qkv": 8.0})
    with pytest.raises(BadCheckpoint, match="8 of 4 experts"):
        Olmoe.from_config(CONFIG | {"num_experts": 4})
