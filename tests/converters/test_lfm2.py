"""LFM2: which layers are convolutions, how wide the feed-forward is, and what the engine cannot do."""

from pathlib import Path
from typing import Any

import pytest

from converters.checkpoint import open_checkpoint
from converters.errors import BadCheckpoint, UnsupportedModel
from converters.families.lfm2 import Lfm2
from converters.families.lfm2_moe import Lfm2Moe
from converters.mapping import map_tensors
from tests.converters.test_goldens import read_golden
from tests.support.golden_checkpoint import build_checkpoint

CONFIG = {
    "hidden_size": 64, "num_hidden_layers": 4, "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 300,
}  # fmt: skip
KERNEL = "model.layers.0.conv.conv.weight"


@pytest.mark.parametrize(
    ("stated", "n_head_kv"),
    [
        ({}, [2, 2, 2, 2]),
        ({"full_attn_idxs": [1, 3]}, [0, 2, 0, 2]),
        ({"layer_types": ["conv", "full_attention", "conv", "conv"], "full_attn_idxs": [3]}, [0, 2, 0, 0]),
    ],
)
def test_convolutions_have_no_key_value_heads(stated: dict[str, Any], n_head_kv: list[int]) -> None:
    model = Lfm2.from_config(CONFIG | stated)
    assert model.metadata()["lfm2.attention.head_count_kv"].data == n_head_kv


@pytest.mark.parametrize(
    "stated",
    [{"full_attn_idxs": 3}, {"layer_types": ["conv"] * 3}, {"layer_types": ["conv"] * 3 + ["mamba"]}],
)
def test_senseless_layers_are_refused(stated: dict[str, Any]) -> None:
    with pytest.raises(BadCheckpoint, match="layer"):
        Lfm2.from_config(CONFIG | stated)


@pytest.mark.parametrize(
    ("stated", "width"),
    [
        ({"block_ff_dim": 12288}, 8192),
        ({"block_ff_dim": 6656}, 4608),
        ({"block_ff_dim": 1000, "block_multiple_of": 16, "block_ffn_dim_multiplier": 1.5}, 1008),
        ({"intermediate_size": 4608, "block_auto_adjust_ff_dim": False}, 4608),
    ],
)
def test_the_width_of_the_feed_forward(stated: dict[str, Any], width: int) -> None:
    """LFM2-1.2B's and LFM2-350M's are the first two."""
    model = Lfm2.from_config(CONFIG | stated)
    assert (model.n_ff, model.metadata()["lfm2.feed_forward_length"].data) == (width, width)


@pytest.mark.parametrize(
    "stated", [{"norm_topk_prob": False}, {"routed_scaling_factor": 2.5}, {"use_expert_bias": False}]
)
def test_experts_that_the_engine_does_not_do_are_refused(stated: dict[str, Any]) -> None:
    with pytest.raises(UnsupportedModel, match=next(iter(stated))):
        Lfm2Moe.from_config(CONFIG | stated)


def test_more_experts_used_than_there_are_make_no_sense() -> None:
    with pytest.raises(BadCheckpoint, match="9 of 8 experts"):
        Lfm2Moe.from_config(CONFIG | {"num_experts": 8, "num_experts_per_tok": 9})


@pytest.mark.parametrize("shape", [[128, 2, 3], [128, 1, 4], [128]])
def test_a_kernel_of_another_shape_is_refused_by_name(shape: list[int], tmp_path: Path) -> None:
    golden = read_golden("lfm2")["checkpoint"]
    golden["tensors"][KERNEL] = ["BF16", shape]
    checkpoint = open_checkpoint(build_checkpoint(golden, tmp_path))
    with pytest.raises(BadCheckpoint, match=KERNEL):
        map_tensors(checkpoint, Lfm2.from_config(checkpoint.config), 300)
