"""Every type on small models: byte for byte what llama_model_quantize makes of the unquantized file."""

import json
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from converters.quant_types import FILE_TYPES, UNQUANTIZED
from tests.support.checkpoints import random_tensors, tiny_checkpoint, to_bf16, write_safetensors
from tests.support.convert_child import ROOT, run
from tests.support.gguf_file import GgufFile, read_gguf

pytestmark = pytest.mark.native
SHAPES = {
    "grouped, wide heads": {"head_dim": 96},
    "tied, odd width": {
        "hidden_size": 288,
        "intermediate_size": 800,
        "num_attention_heads": 9,
        "num_key_value_heads": 1,
        "tie_word_embeddings": True,
    },
}
EXPERTS = {
    "architectures": ["MixtralForCausalLM"],
    "num_hidden_layers": 1,
    "num_local_experts": 8,
    "num_experts_per_tok": 2,
    "intermediate_size": 256,
}
SOME_TYPES = (*UNQUANTIZED, "Q8_0", "Q2_K", "Q4_K_M", "IQ4_XS")


# dtype of each tensor, by the first of these words that its name holds; and the type of the unquantized file
DTYPES: dict[str, tuple[dict[str, str], str]] = {
    "F32": ({"": "F32"}, "F16"),  # "auto" knows no F32: the two steps pass through F16
    "BF16 with F32 and F16": ({"down_proj": "F32", "norm": "F32", "o_proj": "F16", "": "BF16"}, "BF16"),
    "F16 with F32 and BF16": ({"embed_tokens": "F32", "v_proj": "BF16", "": "F16"}, "F16"),  # lm_head comes first
}


def checkpoint_of(folder: Path, dtypes: dict[str, str], **overrides: Any) -> Path:
    """Make a tiny checkpoint whose tensors have these dtypes."""
    tiny_checkpoint(folder, **overrides)
    tensors = {name: _stored_as(rows, dtypes, name) for name, rows in random_tensors(config_of(folder), 7)}
    write_safetensors(folder / "model.safetensors", tensors)
    return folder


def _stored_as(rows: npt.NDArray[np.float32], dtypes: dict[str, str], name: str) -> npt.NDArray[Any]:
    dtype = next(dtype for word, dtype in dtypes.items() if word in name)
    return to_bf16(rows) if dtype == "BF16" else rows.astype({"F16": np.float16, "F32": np.float32}[dtype])


def config_of(folder: Path) -> dict[str, Any]:
    config: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    return config


def convert_to(names: Iterable[str], folder: Path, out: Path) -> dict[str, GgufFile]:
    types = [word for name in names for word in ("--type", name)]
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
    compare_with_two_steps(tuple(FILE_TYPES), folder, tmp_path, "BF16")


def test_experts_equal_the_two_steps(tmp_path: Path) -> None:
    folder = tiny_checkpoint(tmp_path / "model", n_shards=2, **EXPERTS)
    compare_with_two_steps(SOME_TYPES, folder, tmp_path, "BF16")


@pytest.mark.parametrize("dtypes", DTYPES)
def test_every_dtype_equals_the_two_steps(tmp_path: Path, dtypes: str) -> None:
    by_name, wide = DTYPES[dtypes]
    folder = checkpoint_of(tmp_path / "model", by_name, num_hidden_layers=1)
    ours = compare_with_two_steps(SOME_TYPES, folder, tmp_path, wide)
    weights = dict(random_tensors(config_of(folder), 7))
    for theirs, name in {"mlp.down_proj": "ffn_down", "self_attn.o_proj": "attn_output"}.items():
        stored = _stored_as(weights[f"model.layers.0.{theirs}.weight"], by_name, theirs)
        exact = (stored.astype(np.uint32) << 16).view(np.float32) if stored.dtype == np.uint16 else stored
        values, name = exact.astype(np.float32), f"blk.0.{name}.weight"
        assert ours["F32"].data(name) == values.tobytes()  # straight from what is stored
        assert ours["F16"].data(name) == values.astype(np.float16).tobytes()
        assert ours["BF16"].data(name) == to_bf16(values).tobytes()


def compare_with_two_steps(types: Sequence[str], folder: Path, out: Path, wide: str) -> dict[str, GgufFile]:
    ours = convert_to(types, folder, out / "ours")
    names = [name for name in types if name not in UNQUANTIZED]
    theirs = quantize_by_llama_cpp(ours[wide].path, out, names)
    for kind in names:
        assert list(ours[kind].tensors) == list(theirs[kind].tensors)
        for name, tensor in ours[kind].tensors.items():
            assert tensor.type == theirs[kind].tensors[name].type, (kind, name)
            assert ours[kind].data(name) == theirs[kind].data(name), (kind, name)
        assert ours[kind].metadata == theirs[kind].metadata
    return ours


@pytest.mark.parametrize(("dtype", "kind"), [("BF16", "F16")])
def test_a_weight_beyond_f16_is_refused_by_name(tmp_path: Path, dtype: str, kind: str) -> None:
    folder = checkpoint_of(tmp_path / "model", {"": dtype}, num_hidden_layers=1)
    tensors = dict(random_tensors(config_of(folder), 7))
    tensors["model.layers.0.mlp.up_proj.weight"][3, 5] = 70000.0
    write_safetensors(
        folder / "model.safetensors", {name: _stored_as(rows, {"": dtype}, name) for name, rows in tensors.items()}
    )
    done = run("convert", folder, "--type", kind, "--output", tmp_path / "out.gguf")
    assert done.returncode == 1
    assert "blk.0.ffn_up.weight" in done.stderr
    assert "does not fit F16" in done.stderr
    assert "Choose BF16 or F32." in done.stderr
    assert not list(tmp_path.glob("*.gguf"))


def test_wide_types_are_numpy_s(tmp_path: Path) -> None:
    folder = tiny_checkpoint(tmp_path / "model")
    ours = convert_to(UNQUANTIZED, folder, tmp_path / "ours")
    down = dict(random_tensors(config_of(folder), 7))["model.layers.1.mlp.down_proj.weight"]
    rounded = (np.frombuffer(ours["BF16"].data("blk.1.ffn_down.weight"), np.uint16).astype(np.uint32) << 16).view(
        np.float32
    )
    assert np.abs(rounded.reshape(down.shape) - down).max() <= np.abs(down).max() / 256
    assert ours["F32"].data("blk.1.ffn_down.weight") == rounded.tobytes()
    assert ours["F16"].data("blk.1.ffn_down.weight") == rounded.astype(np.float16).tobytes()


def test_experts_are_stacked_in_their_order(tmp_path: Path) -> None:
    folder = tiny_checkpoint(tmp_path / "model", n_shards=3, **EXPERTS)
    arguments = ("--type", "BF16", "--output", tmp_path / "stacked.gguf", "--json")
    assert run("convert", folder, *arguments).returncode == 0
    stacked = read_gguf(tmp_path / "stacked.gguf")
    tensors = dict(random_tensors(config_of(folder), 7))
    ups = [to_bf16(tensors[f"model.layers.0.block_sparse_moe.experts.{e}.w3.weight"]) for e in range(8)]
    assert stacked.tensors["blk.0.ffn_up_exps.weight"].shape == (8, 256, 256)
    assert stacked.data("blk.0.ffn_up_exps.weight") == b"".join(up.tobytes() for up in ups)
    assert stacked.tensors["blk.0.ffn_gate_inp.weight"].type.name == "F32"
    assert (stacked.metadata["llama.expert_count"], stacked.metadata["llama.expert_used_count"]) == (8, 2)
    assert len(quantized_speech(tmp_path / "stacked.gguf")) == 3


def quantized_speech(path: Path) -> list[int]:
    """Load the whole model in llama.cpp and let it speak."""
    command = [sys.executable, "-m", "tests.support.native", "generate", str(path), "hello", "3"]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True, timeout=120)
    ids: list[int] = json.loads(done.stdout)
    return ids


def test_the_number_of_threads_changes_nothing(tmp_path: Path) -> None:
    folder = tiny_checkpoint(tmp_path / "model", hidden_size=512, intermediate_size=4096, num_hidden_layers=1)
    digests = []
    for threads in ("1", "5"):
        arguments = ("--type", "Q4_K_M", "--threads", threads, "--output", tmp_path / threads, "--json")
        digests.append(json.loads(run("convert", folder, *arguments).stdout)["files"][0]["sha256"])
    assert digests[0] == digests[1]
