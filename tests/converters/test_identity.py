"""Every type on small models: byte for byte what llama_model_quantize makes of the BF16 file."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from converters.quant_types import FILE_TYPES, UNQUANTIZED
from tests.support.checkpoints import random_tensors, tiny_checkpoint, to_bf16
from tests.support.convert_child import ROOT, run
from tests.support.gguf_file import GgufFile, read_gguf

pytestmark = pytest.mark.native
SHAPES = {
    "grouped": {"num_hidden_layers": 4},
    "tied": {"num_attention_heads": 4, "num_key_value_heads": 4, "tie_word_embeddings": True},
    "odd width": {"hidden_size": 288, "intermediate_size": 800, "num_attention_heads": 9, "num_key_value_heads": 1},
    "wide heads": {"head_dim": 96},
    "experts": {
        "architectures": ["MixtralForCausalLM"],
        "num_local_experts": 8,
        "num_experts_per_tok": 2,
        "intermediate_size": 256,
    },
}


def convert_to_all(folder: Path, out: Path) -> dict[str, GgufFile]:
    types = [word for name in FILE_TYPES for word in ("--type", name)]
    done = run("convert", folder, *types, "--output", out, "--json", "--threads", "2")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["warnings"] == []
    return {file["type"]: read_gguf(Path(file["path"])) for file in result["files"]}


def quantize_by_llama_cpp(source: Path, folder: Path, names: list[str]) -> dict[str, GgufFile]:
    targets = [word for name in names for word in (str(folder / f"{name}.gguf"), str(FILE_TYPES[name].number))]
    command = [sys.executable, "-m", "tests.support.native", "quantize", str(source), *targets]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=120)
    return {name: read_gguf(folder / f"{name}.gguf") for name in names}


@pytest.mark.parametrize("shape", SHAPES)
def test_all_types_equal_the_two_steps(tmp_path: Path, shape: str) -> None:
    folder = tiny_checkpoint(tmp_path / "model", n_shards=2, **SHAPES[shape])
    ours = convert_to_all(folder, tmp_path / "ours")
    names = [name for name in FILE_TYPES if name not in UNQUANTIZED]
    theirs = quantize_by_llama_cpp(ours["BF16"].path, tmp_path, names)
    for kind in names:
        assert list(ours[kind].tensors) == list(theirs[kind].tensors)
        for name, tensor in ours[kind].tensors.items():
            assert tensor.type == theirs[kind].tensors[name].type, (kind, name)
            assert ours[kind].data(name) == theirs[kind].data(name), (kind, name)
        assert ours[kind].metadata == theirs[kind].metadata


def test_wide_types_are_numpy_s(tmp_path: Path) -> None:
    folder = tiny_checkpoint(tmp_path / "model")
    ours = convert_to_all(folder, tmp_path / "ours")
    config: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    down = dict(random_tensors(config, 7))["model.layers.1.mlp.down_proj.weight"]
    rounded = (np.frombuffer(ours["BF16"].data("blk.1.ffn_down.weight"), np.uint16).astype(np.uint32) << 16).view(
        np.float32
    )
    assert np.abs(rounded.reshape(down.shape) - down).max() <= np.abs(down).max() / 256
    assert ours["F32"].data("blk.1.ffn_down.weight") == rounded.tobytes()
    assert ours["F16"].data("blk.1.ffn_down.weight") == rounded.astype(np.float16).tobytes()


def test_experts_are_stacked_in_their_order(tmp_path: Path) -> None:
    folder = tiny_checkpoint(tmp_path / "model", n_shards=3, **SHAPES["experts"])
    arguments = ("--type", "BF16", "--output", tmp_path / "stacked.gguf", "--json")
    assert run("convert", folder, *arguments).returncode == 0
    stacked = read_gguf(tmp_path / "stacked.gguf")
    config: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    tensors = dict(random_tensors(config, 7))
    ups = [to_bf16(tensors[f"model.layers.1.block_sparse_moe.experts.{e}.w3.weight"]) for e in range(8)]
    assert stacked.tensors["blk.1.ffn_up_exps.weight"].shape == (8, 256, 256)
    assert stacked.data("blk.1.ffn_up_exps.weight") == b"".join(up.tobytes() for up in ups)
    assert stacked.tensors["blk.1.ffn_gate_inp.weight"].type.name == "F32"
    assert (stacked.metadata["llama.expert_count"], stacked.metadata["llama.expert_used_count"]) == (8, 2)
    assert len(quantized_speech(tmp_path / "stacked.gguf")) == 3


def quantized_speech(path: Path) -> list[int]:
    """Load the whole model in llama.cpp and let it speak."""
    command = [sys.executable, "-m", "tests.support.native", "generate", str(path), "hello", "3"]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True, timeout=120)
    ids: list[int] = json.loads(done.stdout)
    return ids


def test_the_number_of_threads_changes_nothing(tmp_path: Path) -> None:
    folder = tiny_checkpoint(tmp_path / "model", hidden_size=512, intermediate_size=4096)
    digests = []
    for threads in ("1", "5"):
        arguments = ("--type", "Q4_K_M", "--threads", threads, "--output", tmp_path / threads, "--json")
        digests.append(json.loads(run("convert", folder, *arguments).stdout)["files"][0]["sha256"])
    assert digests[0] == digests[1]
