"""SmolLM3's layers without positions are the engine's, or the model is refused."""

from typing import Any

import pytest

from converters.errors import UnsupportedModel
from converters.families.smollm3 import SmolLM3

CONFIG = {
    "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 5, "num_attention_heads": 4, "vocab_size": 300,
}  # fmt: skip


@pytest.mark.parametrize("stated", [{}, {"no_rope_layers": [1, 1, 1, 0, 1, 1]}, {"no_rope_layer_interval": 4}])
def test_every_fourth_layer_has_no_positions(stated: dict[str, Any]) -> None:
    assert SmolLM3.from_config(CONFIG | stated).n_layer == 5


@pytest.mark.parametrize(
    "stated",
    [
        {"no_rope_layers": [1, 1, 1, 1, 1]},
        {"no_rope_layers": [1, 1, 1]},
        {"no_rope_layers": 3},
        {"no_rope_layer_interval": 2},
        {"use_sliding_window": True, "sliding_window": 512},
    ],
)
def test_other_layers_are_refused(stated: dict[str, Any]) -> None:
    with pytest.raises(UnsupportedModel, match=r"llama\.cpp"):
        SmolLM3.from_config(CONFIG | stated)
