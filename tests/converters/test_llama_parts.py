"""Llama as the text model of one that sees: sizes that config.json leaves to the HF class, and senses left out."""

from typing import Any

import pytest

from converters.errors import BadCheckpoint
from converters.families.llama import Llama


@pytest.mark.parametrize(
    ("text", "sizes"),
    [
        ({"model_type": "llama", "vocab_size": 32064}, (4096, 11008, 32, 32, 32064)),
        ({"model_type": "mistral", "hidden_size": 5120, "num_hidden_layers": 40}, (5120, 14336, 32, 8, 32000)),
    ],
)
def test_a_text_config_may_leave_sizes_out(text: dict[str, Any], sizes: tuple[int, ...]) -> None:
    model = Llama.from_config({"text_config": text, **text})
    assert (model.n_embd, model.n_ff, model.n_head, model.n_head_kv, model.n_vocab) == sizes


def test_a_model_of_its_own_may_not() -> None:
    with pytest.raises(BadCheckpoint, match="num_hidden_layers"):
        Llama.from_config({"model_type": "llama", "vocab_size": 32064})


@pytest.mark.parametrize(
    ("stored", "name"),
    [
        ("model.text_model.layers.0.mlp.up_proj.weight", "model.layers.0.mlp.up_proj.weight"),
        ("language_model.model.norm.weight", "model.norm.weight"),
        ("language_model.lm_head.weight", "lm_head.weight"),
        ("model.language_model.norm.weight", "model.norm.weight"),
        ("model.norm.weight", "model.norm.weight"),
    ],
)
def test_names_of_the_text_model(stored: str, name: str) -> None:
    model = Llama.from_config({"text_config": {}, "model_type": "llama"})
    assert model.canonical(stored) == name
    assert not model.drops(name)


@pytest.mark.parametrize(
    "name", ["model.vision_model.post_layernorm.bias", "model.connector.modality_projection.proj.weight",
             "audio_tower.conv1.weight", "multi_modal_projector.linear_1.bias"]
)  # fmt: skip
def test_other_senses_are_left_out(name: str) -> None:
    model = Llama.from_config({"text_config": {}, "model_type": "llama"})
    assert model.drops(model.canonical(name))
