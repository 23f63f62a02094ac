"""Senseless numbers in config.json: refused in one line, and at once."""

import json
from pathlib import Path
from typing import Any

import pytest

from converters.checkpoint import open_checkpoint
from converters.errors import BadCheckpoint
from converters.registry import find_family
from tests.support.golden_checkpoint import build_checkpoint

GOLDENS = Path(__file__).parents[1] / "goldens"


@pytest.mark.parametrize(
    ("golden", "change"),
    [
        ("cohere", {"layer_norm_eps": 1e308}),
        ("cohere", {"logit_scale": 10**400}),
        ("cohere2_moe", {"expert_selection_fn": ["x"]}),
        ("lfm2-bare", {"num_hidden_layers": 1 << 30}),
        ("lfm2", {"block_ffn_dim_multiplier": 1e308}),
        ("nemotron_h", {"hybrid_override_pattern": [[]]}),
        ("gemma4-saved", {"global_head_dim": 1 << 30}),
    ],
)
def test_it_is_refused(tmp_path: Path, golden: str, change: dict[str, Any]) -> None:
    recipe = json.loads((GOLDENS / f"{golden}.json").read_text(encoding="utf-8"))["checkpoint"]
    folder = build_checkpoint(recipe, tmp_path)
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | change), encoding="utf-8")
    checkpoint = open_checkpoint(folder)
    with pytest.raises(BadCheckpoint):
        find_family(checkpoint.config)[1].from_config(checkpoint.config, checkpoint.tensors.keys()).computed()
