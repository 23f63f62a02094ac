"""Nemotron-H: kinds of layers in every spelling, experts or none, and the block that predicts a token further."""

from pathlib import Path
from typing import Any

import pytest

from converters.checkpoint import open_checkpoint
from converters.errors import BadCheckpoint, UnsupportedModel
from converters.families.nemotron_h import NemotronH
from converters.families.nemotron_h_moe import NemotronHMoe
from converters.mapping import map_tensors
from converters.registry import find_family
from tests.converters.test_goldens import read_golden
from tests.support.golden_checkpoint import build_checkpoint

NAME = {"architectures": ["NemotronHForCausalLM"]}
EXPERTS = {"n_routed_experts": 8, "num_experts_per_tok": 2, "n_group": 1, "topk_group": 1}


@pytest.mark.parametrize(
    "stated",
    [
        {"hybrid_override_pattern": "M*-"},
        {"layers_block_type": ["mamba", "attention", "mlp"]},
        {"layer_types": ["linear_attention", "full_attention", "mlp"], "num_hidden_layers": 52},
    ],
)
def test_layers_are_named_in_several_ways(stated: dict[str, Any]) -> None:
    """A feed-forward's width marks one, key-value heads mark attention, and neither of them Mamba 2."""
    values = NemotronH.from_config(stated).metadata()
    assert values["nemotron_h.block_count"].data == 3
    assert values["nemotron_h.attention.head_count_kv"].data == [0, 8, 0]
    assert values["nemotron_h.feed_forward_length"].data == [0, 0, 21504]


@pytest.mark.parametrize("stated", [{}, {"hybrid_override_pattern": "M?"}, {"layers_block_type": ["mamba", 3]}])
def test_senseless_layers_are_refused(stated: dict[str, Any]) -> None:
    with pytest.raises(BadCheckpoint, match=r"layer is of kind|of what kind each layer is"):
        find_family(NAME | stated)


@pytest.mark.parametrize(
    "stated", [{"hybrid_override_pattern": "M-E"}, {"hybrid_override_pattern": "ME", "mlp_hidden_act": "silu"}]
)
def test_what_the_engine_does_not_do_is_refused(stated: dict[str, Any]) -> None:
    with pytest.raises(UnsupportedModel, match=r"feed-forwards with experts and without|mlp_hidden_act"):
        NemotronHMoe.from_config(stated)


def test_defaults_of_experts_do_not_make_a_model_one_with_experts() -> None:
    """Newer configs state numbers of experts for every model."""
    config = NAME | EXPERTS | {"hybrid_override_pattern": "M*-"}
    _, family = find_family(config)
    values = family.from_config(config).metadata()
    assert family is NemotronH
    assert [key for key in values if "expert" in key] == []


def test_older_names_of_sizes_count() -> None:
    config = {"hybrid_override_pattern": "M*", "mamba_n_groups": 4, "mamba_d_conv": 3, "attention_head_dim": 64}
    model = NemotronH.from_config(config)
    assert (model.n_ssm_group, model.d_conv, model.head_dim) == (4, 3, 64)


@pytest.mark.parametrize(
    ("n_stated", "are_held", "n_kept"), [(1, True, 1), (1, False, 0), (2, True, 0), (0, True, 0), (None, True, 0)]
)
def test_the_predicting_block_is_kept_where_the_engine_knows_it(
    n_stated: int | None, are_held: bool, n_kept: int, tmp_path: Path
) -> None:
    golden = read_golden("nemotron_h-mtp")["checkpoint"]
    golden["config"]["num_nextn_predict_layers"] = n_stated
    predicting = [name for name in golden["tensors"] if name.startswith("mtp.")]
    if not are_held:
        golden["tensors"] = {name: spec for name, spec in golden["tensors"].items() if name not in predicting}
    checkpoint = open_checkpoint(build_checkpoint(golden, tmp_path))
    model = NemotronHMoe.from_config(checkpoint.config, checkpoint.tensors.keys())
    mapped = map_tensors(checkpoint, model, model.n_vocab)
    assert (model.n_nextn, model.n_block) == (n_kept, 3 + n_kept)
    assert sorted(mapped.dropped) == ([] if n_kept or not are_held else predicting)
    assert any(".nextn." in source.name for source in mapped.sources) == bool(n_kept)


@pytest.mark.parametrize(
    ("name", "shape"), [("mixer.norm.weight", [255]), ("mixer.A_log", [8, 2]), ("mixer.conv1d.weight", [320, 2, 4])]
)
def test_tensors_of_other_shapes_are_refused_by_name(name: str, shape: list[int], tmp_path: Path) -> None:
    golden = read_golden("nemotron_h")["checkpoint"]
    golden["tensors"][f"backbone.layers.0.{name}"] = ["BF16", shape]
    checkpoint = open_checkpoint(build_checkpoint(golden, tmp_path))
    with pytest.raises(BadCheckpoint, match=name):
        map_tensors(checkpoint, NemotronH.from_config(checkpoint.config), 304)
