"""Cohere's families: biases of zeros, heads that are tied, and what the engine cannot do."""

from pathlib import Path
from typing import Any

import pytest

from converters.checkpoint import open_checkpoint
from converters.errors import UnsupportedModel
from converters.families.cohere import Cohere
from converters.families.cohere2 import Cohere2
from converters.mapping import Mapped, map_tensors
from tests.converters.test_goldens import read_golden
from tests.support.golden_checkpoint import build_checkpoint

CONFIG = {
    "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 300,
}  # fmt: skip
BIAS, HEAD = "model.layers.1.self_attn.q_proj.bias", "lm_head.weight"


def mapped(parent: Path, name: str, more: dict[str, list[Any]]) -> Mapped:
    """Map a golden's checkpoint with further tensors."""
    golden = read_golden(name)["checkpoint"]
    golden["tensors"] |= more
    checkpoint = open_checkpoint(build_checkpoint(golden, parent))
    family = (Cohere2 if name == "cohere2" else Cohere).from_config(checkpoint.config)
    return map_tensors(checkpoint, family, family.n_vocab)


def test_biases_of_zeros_are_left_out(tmp_path: Path) -> None:
    assert mapped(tmp_path, "cohere2", {BIAS: ["BF16", [128], "zero"]}).dropped == [BIAS]


def test_other_biases_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedModel, match=BIAS):
        mapped(tmp_path, "cohere2", {BIAS: ["BF16", [128]]})


def test_a_head_equal_to_the_embedding_is_left_out(tmp_path: Path) -> None:
    more = {HEAD: ["F16", [304, 128], "as:model.embed_tokens.weight"]}
    assert mapped(tmp_path, "cohere", more).dropped == [HEAD]


def test_another_head_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedModel, match=HEAD):
        mapped(tmp_path, "cohere", {HEAD: ["F16", [304, 128]]})


@pytest.mark.parametrize(("n_layer", "has_norms"), [(2, True), (64, False)])
def test_norms_are_what_the_engine_takes_for_granted(n_layer: int, has_norms: bool) -> None:
    with pytest.raises(UnsupportedModel, match="norms of queries"):
        Cohere.from_config(CONFIG | {"num_hidden_layers": n_layer, "use_qk_norm": has_norms})


@pytest.mark.parametrize(
    ("stated", "slides"),
    [
        ({}, None),
        ({"sliding_window_pattern": 2}, [True, False, True, False]),
        ({"layer_switch": 3}, [True, True, False, True]),
        ({"layer_types": ["full_attention", *["sliding_attention"] * 3]}, [False, True, True, True]),
    ],
)
def test_unusual_windows_are_stated(stated: dict[str, Any], slides: list[bool] | None) -> None:
    """Nothing is said of every fourth layer seeing everything: the engine takes it for granted."""
    values = Cohere2.from_config({**CONFIG, **stated, "num_hidden_layers": 4}).metadata()
    pattern = values.get("cohere2.attention.sliding_window_pattern")
    assert (pattern.data if pattern else None) == slides
