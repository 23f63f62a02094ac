"""Folders of shards: what the index may name, and what it may not."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from converters.checkpoint import INDEX_NAME, open_checkpoint
from converters.errors import BadCheckpoint
from tests.support.checkpoints import tiny_checkpoint

SECOND = "model-00002-of-00002.safetensors"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tiny_checkpoint(tmp_path / "sharded", n_shards=2)


def edit_index(folder: Path, change: Callable[[dict[str, str]], None]) -> None:
    index = json.loads((folder / INDEX_NAME).read_text(encoding="utf-8"))
    change(index["weight_map"])
    (folder / INDEX_NAME).write_text(json.dumps(index), encoding="utf-8")


def test_shards_are_joined(folder: Path) -> None:
    checkpoint = open_checkpoint(folder)
    assert {tensor.path.name for tensor in checkpoint.tensors.values()} >= {SECOND}
    assert len(checkpoint.tensors) == 2 * 9 + 3
    assert checkpoint.size_bytes == sum(tensor.size_bytes for tensor in checkpoint.tensors.values())


def test_a_missing_shard_is_named(folder: Path) -> None:
    (folder / SECOND).unlink()
    with pytest.raises(BadCheckpoint, match=SECOND):
        open_checkpoint(folder)


@pytest.mark.parametrize(
    "name", ["../outside.safetensors", "/etc/passwd", "sub/x.safetensors", "x.bin", "..\\x.safetensors", ""]
)
def test_a_path_in_the_index_is_refused(folder: Path, name: str) -> None:
    edit_index(folder, lambda weight_map: weight_map.update({"model.norm.weight": name}))
    with pytest.raises(BadCheckpoint, match="bare"):
        open_checkpoint(folder)


def test_a_link_out_of_the_folder_is_refused(folder: Path, tmp_path: Path) -> None:
    shutil.move(folder / SECOND, tmp_path / "elsewhere.safetensors")
    (folder / SECOND).symlink_to(tmp_path / "elsewhere.safetensors")
    with pytest.raises(BadCheckpoint, match="outside"):
        open_checkpoint(folder)


def test_a_snapshot_of_the_hub_cache_is_read(folder: Path, tmp_path: Path) -> None:
    snapshot, blobs = tmp_path / "models--o--m" / "snapshots" / "abc", tmp_path / "models--o--m" / "blobs"
    snapshot.mkdir(parents=True)
    blobs.mkdir()
    for path in folder.iterdir():
        shutil.move(path, blobs / path.name)
        (snapshot / path.name).symlink_to(Path("..", "..", "blobs", path.name))
    assert len(open_checkpoint(snapshot).tensors) == 21


def test_an_index_that_names_another_shard_is_refused(folder: Path) -> None:
    def swap(weight_map: dict[str, str]) -> None:
        name = next(name for name, file in weight_map.items() if file == SECOND)
        weight_map[name] = SECOND.replace("00002-", "00001-", 1)

    edit_index(folder, swap)
    with pytest.raises(BadCheckpoint, match="does not hold it"):
        open_checkpoint(folder)


def test_a_tensor_that_the_index_does_not_know_is_refused(folder: Path) -> None:
    edit_index(folder, lambda weight_map: weight_map.pop("model.norm.weight") and None)
    with pytest.raises(BadCheckpoint, match=r"model\.norm\.weight"):
        open_checkpoint(folder)


def test_a_tensor_stored_twice_is_refused(folder: Path) -> None:
    (folder / INDEX_NAME).unlink()
    shutil.copy(folder / SECOND, folder / "model-00003-of-00003.safetensors")
    with pytest.raises(BadCheckpoint, match="twice"):
        open_checkpoint(folder)


def test_the_text_config_is_hoisted(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    nested = {"architectures": ["Outer"], "text_config": config}
    (folder / "config.json").write_text(json.dumps(nested), encoding="utf-8")
    assert open_checkpoint(folder).config["architectures"] == ["LlamaForCausalLM"]
