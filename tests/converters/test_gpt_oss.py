"""gpt-oss: experts that are stored as MXFP4 keep their values, and damaged ones are refused."""

import json
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest

from converters.checkpoint import open_checkpoint
from converters.errors import BadCheckpoint, ConvertError, UnsupportedModel
from converters.layout import Layout
from converters.mapping import map_tensors
from converters.mxfp4 import join_blocks, repacked
from converters.quant_types import GgmlType
from converters.registry import find_family
from tests.support.golden_checkpoint import build_checkpoint

GOLDEN = Path(__file__).parents[1] / "goldens" / "gpt_oss.json"
E2M1 = np.array([0, 0.5, 1, 1.5, 2, 3, 4, 6, 0, -0.5, -1, -1.5, -2, -3, -4, -6], np.float32)  # HF: FP4_VALUES
DOWN = "model.layers.1.mlp.experts.down_proj"


def test_every_value_is_kept() -> None:
    rng = np.random.default_rng(5)
    values = rng.integers(0, 256, (7, 3, 16), np.uint8)
    scales = rng.integers(100, 150, (7, 3), np.uint8)
    found = gguf.quants.dequantize(join_blocks(values, scales).reshape(7, -1), gguf.GGMLQuantizationType.MXFP4)
    pairs = np.stack((E2M1[values & 15], E2M1[values >> 4]), axis=-1).reshape(7, 3, 32)
    wanted = pairs * np.exp2(scales.astype(np.float32) - 127)[..., None]
    assert np.array_equal(found, wanted.reshape(7, -1))


def test_rows_are_cut_in_whole_blocks() -> None:
    """A large expert is read in pieces; each holds whole rows of the file, and scales are cut as values are."""
    transform = repacked((2, 6, 96), lambda whole: whole[:, 1::2])
    values, scales = (transform.layout(Layout.of(shape)) for shape in ((2, 6, 3, 16), (2, 6, 3)))
    assert isinstance(values, Layout)
    assert isinstance(scales, Layout)
    keys = list(values.cuts(48, 48))
    assert [values[key].n_values for key in keys] == [48] * 6
    assert [scales[key].n_values for key in keys] == [3] * 6


def map_changed(parent: Path, config: dict[str, Any], tensors: dict[str, Any]) -> dict[str, Any]:
    """Map the golden's checkpoint with other config keys and tensors; None leaves one out."""
    checkpoint = json.loads(GOLDEN.read_text(encoding="utf-8"))["checkpoint"]
    specs = checkpoint["tensors"] | tensors
    checkpoint["tensors"] = {name: spec for name, spec in specs.items() if spec is not None}
    checkpoint["config"] |= config
    opened = open_checkpoint(build_checkpoint(checkpoint, parent))
    family = find_family(opened.config)[1].from_config(opened.config, opened.tensors.keys())
    return {source.name: source for source in map_tensors(opened, family, 300).sources}


def test_packed_experts_stay_packed(tmp_path: Path) -> None:
    sources = map_changed(tmp_path, {}, {})
    packed = {name for name, source in sources.items() if source.transform.packed is GgmlType.MXFP4}
    assert packed == {f"blk.{i}.ffn_{part}_exps.weight" for i in range(2) for part in ("gate", "up", "down")}
    assert sources["blk.1.ffn_up_exps.weight"].shape == (4, 64, 96)


@pytest.mark.parametrize(
    ("tensors", "error"),
    [
        ({f"{DOWN}_scales": None}, BadCheckpoint),
        ({f"{DOWN}_blocks": None}, BadCheckpoint),
        ({f"{DOWN}_scales": ["U8", [4, 96, 3]]}, BadCheckpoint),
        ({f"{DOWN}_blocks": ["U8", [4, 96, 2, 8]]}, BadCheckpoint),
        ({f"{DOWN}_blocks": ["U8", [4, 64, 3, 16]]}, BadCheckpoint),
        ({f"{DOWN}_blocks": ["BF16", [4, 96, 2, 16]]}, UnsupportedModel),
        ({f"{DOWN}_scales": ["BF16", [4, 96, 2]]}, UnsupportedModel),
        ({f"{DOWN}_bias": ["BF16", [4, 64]]}, BadCheckpoint),
        ({DOWN: ["BF16", [4, 64, 96]]}, UnsupportedModel),
    ],
)
def test_other_experts_than_config_tells_are_refused(
    tmp_path: Path, tensors: dict[str, Any], error: type[ConvertError]
) -> None:
    with pytest.raises(error, match=DOWN.replace(".", r"\.")):
        map_changed(tmp_path, {}, tensors)


def test_other_quantizations_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedModel, match="awq"):
        map_changed(tmp_path, {"quantization_config": {"quant_method": "awq"}}, {})


def test_more_experts_in_use_than_there_are_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadCheckpoint, match="5 of 4 experts"):
        map_changed(tmp_path, {"num_experts_per_tok": 5}, {})
