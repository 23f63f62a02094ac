"""The command: its protocol, its exit codes, and one clear message for each bad input."""

import json
import os
import struct
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from converters.convert import model_name
from tests.support.checkpoints import random_tensors, tiny_checkpoint, to_bf16, write_safetensors, write_shards
from tests.support.convert_child import events, run
from tests.support.gguf_file import read_gguf

pytestmark = pytest.mark.native


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return tiny_checkpoint(tmp_path / "Tiny 模型")


def failure(folder: Path, tmp_path: Path, *arguments: str) -> dict[str, Any]:
    """Convert what must fail; gives the failed event. Nothing may be left in the output folder."""
    out = tmp_path / "out"
    done = run("convert", folder, "--type", "Q8_0", "--output", out, "--events", *arguments)
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert not out.exists() or list(out.iterdir()) == []
    last = events(done.stdout)[-1]
    assert last["event"] == "failed"
    assert last["message"].count("\n") == 0
    return last


def test_events_end_with_done(checkpoint: Path, tmp_path: Path) -> None:
    done = run("convert", checkpoint, "--type", "q4_k_m", "--type", "Q8_0", "--output", tmp_path / "out", "--events")
    assert done.returncode == 0, done.stderr
    *progress, last = events(done.stdout)
    assert {event["phase"] for event in progress} == {"read", "quantize", "write", "check"}
    assert all(0 <= event["done_bytes"] <= event["total_bytes"] for event in progress)
    result = last["result"]
    assert last["event"] == "done"
    assert [file["type"] for file in result["files"]] == ["Q4_K_M", "Q8_0"]
    assert [Path(file["path"]).name for file in result["files"]] == ["Tiny-模型-Q4_K_M.gguf", "Tiny-模型-Q8_0.gguf"]
    assert result["tokenizer_parity"]["checked"] == result["tokenizer_parity"]["equal"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(
        Path(file["path"]).name for file in result["files"]
    )


def test_sha256_is_that_of_the_file(checkpoint: Path, tmp_path: Path) -> None:
    import hashlib

    done = run("convert", checkpoint, "--type", "BF16", "--output", tmp_path / "one.gguf", "--json")
    (file,) = json.loads(done.stdout)["files"]
    assert file["path"] == str(tmp_path / "one.gguf")
    assert file["sha256"] == hashlib.sha256((tmp_path / "one.gguf").read_bytes()).hexdigest()
    assert file["size_bytes"] == (tmp_path / "one.gguf").stat().st_size


def test_text_for_people(checkpoint: Path, tmp_path: Path) -> None:
    done = run("convert", checkpoint, "--type", "Q8_0", "--output", tmp_path)
    assert done.returncode == 0
    assert "Tiny-模型-Q8_0.gguf" in done.stdout
    assert "tokenizer equal on" in done.stdout
    failed = run("convert", tmp_path / "nothing", "--type", "Q8_0")
    assert failed.returncode == 1
    assert failed.stdout == ""
    assert "There is no folder" in failed.stderr


def test_dry_run_of_one_type_gives_plain_values(checkpoint: Path, tmp_path: Path) -> None:
    done = run("convert", checkpoint, "--type", "Q8_0", "--output", tmp_path / "out", "--dry-run", "--json")
    plan = json.loads(done.stdout)
    assert (plan["architecture"], plan["hf_class"]) == ("llama", "LlamaForCausalLM")
    assert {"name": "output_norm.weight", "type": "F32", "shape": [256]} in plan["tensors"]
    assert plan["needed_disk_bytes"] == plan["output_bytes"]
    assert plan["peak_memory_bytes"] > 0
    assert not (tmp_path / "out").exists()
    converted = run("convert", checkpoint, "--type", "Q8_0", "--output", tmp_path / "out", "--json")
    assert json.loads(converted.stdout)["files"][0]["size_bytes"] == plan["output_bytes"]


def test_list_names_the_classes() -> None:
    assert "LlamaForCausalLM" in run("list").stdout.splitlines()
    assert "MistralForCausalLM" in json.loads(run("list", "--json").stdout)["architectures"]


def test_a_type_asked_for_twice_is_made_once(checkpoint: Path, tmp_path: Path) -> None:
    done = run("convert", checkpoint, "--type", "Q8_0", "--type", "q8_0", "--output", tmp_path / "a.gguf", "--json")
    assert [file["type"] for file in json.loads(done.stdout)["files"]] == ["Q8_0"]


def test_wrong_usage_is_exit_2() -> None:
    assert run("convert").returncode == 2
    assert run("convert", "x").returncode == 2
    assert run("nonsense").returncode == 2


@pytest.mark.parametrize(
    "option", [("--imatrix", "auto"), ("--calibration", "x"), ("--lora", "x"), ("--split-size", "1GB")]
)
def test_later_work_is_said_to_be_later(checkpoint: Path, tmp_path: Path, option: tuple[str, str]) -> None:
    failed = failure(checkpoint, tmp_path, *option)
    assert failed["kind"] == "not_yet"
    assert option[0] in failed["message"]


def test_imatrix_none_is_the_default(checkpoint: Path, tmp_path: Path) -> None:
    assert run("convert", checkpoint, "--type", "Q8_0", "--output", tmp_path, "--imatrix", "none").returncode == 0


def test_an_unknown_type_is_refused(checkpoint: Path, tmp_path: Path) -> None:
    failed = failure(checkpoint, tmp_path, "--type", "Q9_X")
    assert failed["kind"] == "bad_request"
    assert "Q4_K_M" in failed["hint"]


def test_one_file_for_two_types_is_refused(checkpoint: Path, tmp_path: Path) -> None:
    done = run("convert", checkpoint, "--type", "Q8_0", "--type", "F16", "--output", tmp_path / "a.gguf", "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["error"]["kind"] == "bad_request"


def test_an_unknown_class_is_refused_by_name(checkpoint: Path, tmp_path: Path) -> None:
    edit_config(checkpoint, architectures=["FooForCausalLM"])
    failed = failure(checkpoint, tmp_path)
    assert failed["kind"] == "unsupported_model"
    assert "FooForCausalLM" in failed["message"]
    assert "LlamaForCausalLM" in failed["hint"]


def edit_config(folder: Path, **changes: Any) -> None:
    path = folder / "config.json"
    config = json.loads(path.read_text(encoding="utf-8")) | changes
    path.write_text(json.dumps({key: value for key, value in config.items() if value is not None}), encoding="utf-8")


def remove(name: str) -> Any:
    return lambda folder: (folder / name).unlink()


def only_pickles(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def cut_short(folder: Path) -> None:
    os.truncate(folder / "model.safetensors", (folder / "model.safetensors").stat().st_size - 100)


def not_json(folder: Path) -> None:
    (folder / "config.json").write_text("{", encoding="utf-8")


def nested_json(folder: Path) -> None:
    (folder / "tokenizer.json").write_text("[" * 100_000, encoding="utf-8")


def huge_header(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", 1 << 60) + b"{}")


def sentencepiece(folder: Path) -> None:
    (folder / "tokenizer.json").rename(folder / "tokenizer.model")


def unigram(folder: Path) -> None:
    (folder / "tokenizer.json").write_text(json.dumps({"model": {"type": "Unigram", "vocab": []}}), encoding="utf-8")


def rewritten(change: Any) -> Any:
    """Write the weights again after change had its hands on them."""

    def spoil(folder: Path) -> None:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        tensors = {name: to_bf16(rows) for name, rows in random_tensors(config, 1)}
        change(tensors)
        write_shards(folder, tensors, 1)

    return spoil


def with_nan(tensors: dict[str, Any]) -> None:
    tensors["model.layers.1.mlp.up_proj.weight"][3, 5] = 0x7FC0


def with_infinity(tensors: dict[str, Any]) -> None:
    tensors["model.norm.weight"][3] = 0xFF80


def with_stranger(tensors: dict[str, Any]) -> None:
    tensors["model.layers.0.strange.weight"] = np.zeros((2, 2), np.uint16)


def without_one(tensors: dict[str, Any]) -> None:
    del tensors["model.layers.1.mlp.up_proj.weight"]


def with_int8(tensors: dict[str, Any]) -> None:
    tensors["model.norm.weight"] = np.zeros(256, np.int8)


BAD = [
    (remove("config.json"), "bad_file", "config.json"),
    (remove("tokenizer.json"), "bad_file", "tokenizer.json"),
    (remove("model.safetensors"), "bad_file", "safetensors"),
    (only_pickles, "unsupported_model", "pytorch_model.bin"),
    (cut_short, "bad_file", "model.safetensors"),
    (not_json, "bad_file", "config.json"),
    (nested_json, "bad_file", "tokenizer.json"),
    (huge_header, "bad_file", "model.safetensors"),
    (sentencepiece, "bad_file", "tokenizer.model"),
    (unigram, "not_yet", "Unigram"),
    (rewritten(with_nan), "bad_file", "model.layers.1.mlp.up_proj.weight"),
    (rewritten(with_infinity), "bad_file", "model.norm.weight"),
    (rewritten(with_stranger), "unsupported_model", "model.layers.0.strange.weight"),
    (rewritten(without_one), "bad_file", "model.layers.1.mlp.up_proj.weight"),
    (rewritten(with_int8), "unsupported_model", "model.norm.weight"),
    (lambda folder: edit_config(folder, num_hidden_layers=None), "bad_file", "num_hidden_layers"),
    (lambda folder: edit_config(folder, num_hidden_layers=10**6), "bad_file", "1000000"),
    (lambda folder: edit_config(folder, hidden_size="many"), "bad_file", "hidden_size"),
    (lambda folder: edit_config(folder, hidden_size=128), "bad_file", "has shape"),
    (lambda folder: edit_config(folder, vocab_size=100), "bad_file", "vocab_size is 100"),
    (lambda folder: edit_config(folder, quantization_config={"quant_method": "awq"}), "unsupported_model", "awq"),
    (lambda folder: edit_config(folder, num_local_experts=4), "unsupported_model", "experts"),
    (lambda folder: edit_config(folder, rope_scaling={"rope_type": "odd"}), "unsupported_model", "odd"),
    (lambda folder: edit_config(folder, architectures=None), "bad_file", "architecture"),
]


@pytest.mark.parametrize(
    ("spoil", "kind", "word"), BAD, ids=[f"{i}-{kind}-{word[:20]}" for i, (_, kind, word) in enumerate(BAD)]
)
def test_bad_input_gets_one_clear_line(checkpoint: Path, tmp_path: Path, spoil: Any, kind: str, word: str) -> None:
    spoil(checkpoint)
    failed = failure(checkpoint, tmp_path)
    assert (failed["kind"], word in failed["message"]) == (kind, True), failed
    assert failed["hint"] or kind in ("not_yet", "unsupported_model", "bad_file")


def test_a_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    assert failure(tmp_path / "file", tmp_path)["kind"] == "bad_file"


def test_an_existing_target_survives_a_failure(checkpoint: Path, tmp_path: Path) -> None:
    target = tmp_path / "kept.gguf"
    target.write_text("precious", encoding="utf-8")
    rewritten(with_nan)(checkpoint)
    assert run("convert", checkpoint, "--type", "Q8_0", "--output", target).returncode == 1
    assert target.read_text(encoding="utf-8") == "precious"
    rewritten(lambda tensors: None)(checkpoint)
    assert run("convert", checkpoint, "--type", "Q8_0", "--output", target).returncode == 0
    assert read_gguf(target).metadata["general.architecture"] == "llama"


def test_float32_and_float16_weights_are_read(checkpoint: Path, tmp_path: Path) -> None:
    config = json.loads((checkpoint / "config.json").read_text(encoding="utf-8"))
    tensors = dict(random_tensors(config, 3))
    for kind, dtype in (("F32", np.float32), ("F16", np.float16)):
        write_safetensors(
            checkpoint / "model.safetensors", {name: rows.astype(dtype) for name, rows in tensors.items()}
        )
        done = run("convert", checkpoint, "--type", kind, "--output", tmp_path / f"{kind}.gguf", "--json")
        assert done.returncode == 0, done.stderr
        stored = read_gguf(tmp_path / f"{kind}.gguf")
        up = tensors["model.layers.1.mlp.up_proj.weight"].astype(dtype)
        assert stored.tensors["blk.1.ffn_up.weight"].type.name == kind
        assert stored.data("blk.1.ffn_up.weight") == up.tobytes()


@pytest.mark.skipif(sys.platform != "linux", reason="names are bytes there")
def test_a_folder_whose_name_is_no_text_is_converted(tmp_path: Path) -> None:
    folder = tiny_checkpoint(Path(os.fsdecode(os.fsencode(tmp_path) + b"/na\xffme")))
    done = run("convert", folder, "--type", "Q8_0", "--output", folder, "--json")
    assert done.returncode == 0, done.stderr
    assert Path(json.loads(done.stdout)["files"][0]["path"]).parent == folder


def test_a_long_name_is_cut() -> None:
    name = model_name(Path("/models/" + "\u00e9" * 120))
    assert name == "\u00e9" * 100


def test_a_class_name_of_odd_characters_is_one_line(tmp_path: Path) -> None:
    folder = tiny_checkpoint(tmp_path / "odd")
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    text = json.dumps(config | {"architectures": ["a\nb\ud800\u202e"]})
    (folder / "config.json").write_text(text, encoding="utf-8")
    done = run("convert", folder, "--type", "Q8_0", "--output", tmp_path, "--events")
    assert "Traceback" not in done.stderr
    assert "know a\ufffdb\ufffd\ufffd." in events(done.stdout)[-1]["message"]
