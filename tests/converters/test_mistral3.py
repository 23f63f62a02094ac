"""What Mistral 3's family says of configs that no golden can show."""

from typing import Any

import pytest

from converters.errors import BadCheckpoint
from converters.families.mistral3 import Mistral3
from converters.families.mistral4 import Mistral4
from converters.registry import find_family

CONFIG: dict[str, Any] = {
    "architectures": ["Mistral3ForConditionalGeneration"], "hidden_size": 64, "intermediate_size": 96, "head_dim": 16,
    "model_type": "ministral3", "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
    "vocab_size": 300,
}  # fmt: skip


@pytest.mark.parametrize(("kind", "family"), [("mistral", Mistral3), ("ministral3", Mistral3), ("mistral4", Mistral4)])
def test_the_text_models_kind_chooses_the_family(kind: str, family: type) -> None:
    assert find_family(CONFIG | {"model_type": kind})[1] is family


@pytest.mark.parametrize("changes", [{"rope_type": "default"}, {"mscale_all_dim": None}, {"llama_4_scaling_beta": "x"}])
def test_a_ministral_with_other_rotary_settings_is_refused(changes: dict[str, Any]) -> None:
    rope = Mistral3.from_config(CONFIG).rope
    with pytest.raises(BadCheckpoint, match=r"config\.json"):
        Mistral3.from_config(CONFIG | {"rope_parameters": {**rope, **changes}})


def test_parts_that_see_are_left_out() -> None:
    family = Mistral3.from_config(CONFIG)
    assert family.drops(family.canonical("model.vision_tower.ln_pre.weight"))
    assert family.drops(family.canonical("multi_modal_projector.norm.weight"))
    assert not family.drops(family.canonical("language_model.lm_head.weight"))
