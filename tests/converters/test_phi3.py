"""What the Phi-3 family says of rotary settings that no golden can show."""

from typing import Any

import pytest

from converters.errors import BadCheckpoint
from converters.families.phi3 import Phi3

CONFIG = {
    "hidden_size": 96, "intermediate_size": 160, "num_hidden_layers": 2, "num_attention_heads": 3, "vocab_size": 300,
    "max_position_embeddings": 131072,
}  # fmt: skip
FACTORS = [1.0] * 16


def family(**rope: Any) -> Phi3:
    return Phi3.from_config(CONFIG | {"rope_scaling": rope})


@pytest.mark.parametrize("kind", ["su", "longrope"])
def test_stretched_contexts_have_an_attention_factor(kind: str) -> None:
    """Of 131,072 out of 4,096 tokens; sqrt(1 + ln 32 / ln 4096) is 1.1902."""
    model = family(type=kind, long_factor=FACTORS, short_factor=FACTORS)
    assert model.metadata()["phi3.rope.scaling.attn_factor"].data == pytest.approx(1.19024, abs=1e-5)
    assert {name: data.shape for name, data in model.computed().items()} == {
        "rope_factors_long.weight": (16,),
        "rope_factors_short.weight": (16,),
    }


@pytest.mark.parametrize(
    "rope",
    [
        {"long_factor": FACTORS},
        {"long_factor": FACTORS, "short_factor": FACTORS[1:]},
        {"long_factor": FACTORS, "short_factor": ["x", *FACTORS[1:]]},
        {"long_factor": 3, "short_factor": FACTORS},
        {"long_factor": FACTORS, "short_factor": FACTORS, "original_max_position_embeddings": 1},
    ],
)
def test_senseless_factors_are_refused(rope: dict[str, Any]) -> None:
    with pytest.raises(BadCheckpoint, match=r"makes no sense|(short|long)_factor"):
        family(type="longrope", **rope)


def test_a_model_without_a_window_is_a_phi_4() -> None:
    assert Phi3.from_config(CONFIG | {"sliding_window": None}).metadata()["phi3.attention.sliding_window"].data == 0
