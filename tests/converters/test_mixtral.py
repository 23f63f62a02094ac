"""Mixtral's experts in one piece make the same file as one by one."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from converters.checkpoint import open_checkpoint
from converters.convert import Request, convert
from converters.errors import BadCheckpoint
from converters.events import Cancel, Silent
from converters.families.mixtral import Mixtral
from converters.mapping import map_tensors
from tests.converters.test_goldens import read_golden
from tests.goldens.result import result_of
from tests.support.checkpoints import write_safetensors
from tests.support.golden_checkpoint import build_checkpoint, tensor_of

OLD, NEW = "model.layers.{}.block_sparse_moe.", "model.layers.{}.mlp."


def fused_tensors(golden: dict[str, Any]) -> dict[str, npt.NDArray[Any]]:
    """Give the golden's tensors as transformers 5 has them in memory."""
    tensors = {name: tensor_of(name, *spec) for name, spec in golden["tensors"].items()}
    for i in range(golden["config"]["num_hidden_layers"]):
        old, new = OLD.format(i), NEW.format(i)
        parts = {
            part: np.stack([tensors.pop(f"{old}experts.{e}.{part}.weight") for e in range(8)])
            for part in ("w1", "w2", "w3")
        }
        tensors[f"{new}experts.gate_up_proj"] = np.concatenate([parts["w1"], parts["w3"]], axis=1)
        tensors[f"{new}experts.down_proj"] = parts["w2"]
        tensors[f"{new}gate.weight"] = tensors.pop(f"{old}gate.weight")
    return tensors


@pytest.mark.native
def test_fused_experts_make_the_file_of_single_ones(tmp_path: Path) -> None:
    golden = read_golden("mixtral-8")
    folder = build_checkpoint(golden["checkpoint"], tmp_path)
    write_safetensors(folder / "model.safetensors", fused_tensors(golden["checkpoint"]))
    said = convert(Request(folder, ("BF16",), tmp_path, n_threads=1), Cancel(), Silent())
    found = result_of(Path(said["files"][0]["path"]))
    assert json.loads(json.dumps(found["tensors"])) == golden["result"]["tensors"]


@pytest.mark.parametrize("shape", [(8, 191, 64), (192, 64), (7, 192, 64)])
def test_fused_experts_of_other_shapes_are_refused_by_name(shape: tuple[int, ...], tmp_path: Path) -> None:
    golden = read_golden("mixtral-8")["checkpoint"]
    folder = build_checkpoint(golden, tmp_path)
    name = "model.layers.0.mlp.experts.gate_up_proj"
    write_safetensors(folder / "model.safetensors", fused_tensors(golden) | {name: np.zeros(shape, np.uint16)})
    checkpoint = open_checkpoint(folder)
    with pytest.raises(BadCheckpoint, match=name):
        map_tensors(checkpoint, Mixtral.from_config(checkpoint.config), 300)
