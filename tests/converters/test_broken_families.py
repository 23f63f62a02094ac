"""Takes tensors from checkpoints of every family, or gives them other shapes: all is well, or one line tells it."""

import json
import math
import re
from dataclasses import replace
from pathlib import Path

import pytest

from converters.checkpoint import Checkpoint, open_checkpoint
from converters.errors import ConvertError
from converters.mapping import map_tensors
from converters.registry import find_family
from converters.safetensors_header import StoredTensor
from tests.support.golden_checkpoint import build_checkpoint

FOLDER = Path(__file__).parents[1] / "goldens"
GOLDENS = sorted(path.stem for path in FOLDER.glob("*.json"))


@pytest.fixture(scope="module", params=GOLDENS)
def checkpoint(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    """The tiny checkpoint of a golden."""
    golden = json.loads((FOLDER / f"{request.param}.json").read_text(encoding="utf-8"))
    return open_checkpoint(build_checkpoint(golden["checkpoint"], tmp_path_factory.mktemp("golden")))


def outcome(checkpoint: Checkpoint) -> str:
    """Give the message of the error; nothing when all is well."""
    config, tensors = checkpoint.config, checkpoint.tensors
    try:
        family = find_family(config)[1].from_config(config, tensors.keys())
        map_tensors(checkpoint, family, int(str(family.config.get("vocab_size"))))
    except ConvertError as error:
        return error.message
    return ""


def one_of_each_kind(checkpoint: Checkpoint) -> list[StoredTensor]:
    """Give one tensor of those whose names are the same but for numbers."""
    return list({re.sub(r"\d+", "#", tensor.name): tensor for tensor in checkpoint.tensors.values()}.values())


def test_a_missing_tensor_is_told_in_one_line(checkpoint: Checkpoint) -> None:
    assert outcome(checkpoint) == ""
    for tensor in one_of_each_kind(checkpoint):
        rest = {name: other for name, other in checkpoint.tensors.items() if other != tensor}
        message = outcome(replace(checkpoint, tensors=rest))
        assert "\n" not in message
        assert not message or re.search(r"\b([Tt]ensor|[Cc]heckpoint)\b", message)


def test_a_wrong_shape_is_told_in_one_line(checkpoint: Checkpoint) -> None:
    for tensor in one_of_each_kind(checkpoint):
        shape = tuple(length + 1 for length in tensor.shape)
        grown = replace(tensor, shape=shape, size_bytes=math.prod(shape) * tensor.item_bytes)
        message = outcome(replace(checkpoint, tensors={**checkpoint.tensors, tensor.name: grown}))
        assert "\n" not in message
        assert not message or re.search(r"Tensor '.*' has shape|Tensor '.*': ", message)
