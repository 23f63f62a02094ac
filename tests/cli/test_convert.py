"""pronk convert: the relay between a user and the converter's process."""

import json
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from app.cli.convert import _plan_text
from app.core.paths import Home
from tests.support.checkpoints import tiny_checkpoint
from tests.support.cli import pronk_json, run_pronk
from tests.support.waiting import wait_until

pytestmark = pytest.mark.native


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return tiny_checkpoint(tmp_path / "小 Llama")


def test_dry_run_tells_the_exact_size(checkpoint: Path, home: Home) -> None:
    plan = pronk_json("convert", str(checkpoint), "--type", "Q8_0", "--dry-run")
    assert plan["architecture"] == "llama"
    assert {"name", "type", "shape"} <= set(plan["tensors"][0])
    assert not list(home.models.iterdir())
    result = pronk_json("convert", str(checkpoint), "--type", "Q8_0")
    assert result["files"][0]["size_bytes"] == plan["output_bytes"] == Path(result["files"][0]["path"]).stat().st_size


def test_several_types_answer_in_order(checkpoint: Path) -> None:
    plan = pronk_json("convert", str(checkpoint), "--type", "Q8_0", "--type", "F16", "--dry-run")
    assert plan["output_bytes"][0] < plan["output_bytes"][1]
    assert len(plan["tensors"]) == 2


def test_the_same_type_twice_is_one(checkpoint: Path) -> None:
    assert run_pronk("convert", str(checkpoint), "--type", "q8_0", "--type", "Q8_0", "--dry-run").returncode == 0


def test_text_for_people(checkpoint: Path) -> None:
    done = run_pronk("convert", str(checkpoint), "--type", "Q4_K_M")
    assert done.returncode == 0
    assert "Tokenizer: " in done.stdout
    assert "Self-check: llama.cpp loads" in done.stdout
    assert "Q4_K_M" in done.stdout


def test_a_dry_run_for_people(checkpoint: Path, home: Home) -> None:
    done = run_pronk("convert", str(checkpoint), "--type", "Q8_0", "--dry-run")
    head, file, room = done.stdout.splitlines()
    assert head.startswith("llama (LlamaForCausalLM): ")
    assert file.endswith(str(home.models / "小-Llama-Q8_0.gguf"))
    assert " of disk (" in room
    (home.models / "小-Llama-Q8_0.gguf").write_bytes(b"")
    again = run_pronk("convert", str(checkpoint), "--type", "Q8_0", "--dry-run")
    assert "would be replaced" in again.stdout


def test_what_does_not_fit_and_what_is_left_out_is_told() -> None:
    plan = {
        "architecture": "llama",
        "hf_class": "LlamaForCausalLM",
        "tensors": [{}],
        "output_bytes": 10**18,
        "needed_disk_bytes": 10**18,
        "peak_memory_bytes": 10**9,
        "files": ["/none/x.gguf"],
        "dropped": ["vision.a", "vision.b"],
        "warnings": ["W."],
    }
    *_, fits, dropped, warning = _plan_text(plan, ["Q8_0"]).splitlines()
    assert "does not fit on the disk" in fits
    assert dropped == "2 tensors of the checkpoint are left out: vision.a, …"
    assert warning == "Warning: W."


def test_it_lands_in_the_library_as_verified(checkpoint: Path, tmp_path: Path) -> None:
    there = os.path.relpath(checkpoint)  # a user's folder of now is not that of tomorrow
    run_pronk("convert", there, "--type", "Q8_0", "--output", str(tmp_path / "elsewhere"))
    (model,) = pronk_json("models", "list")["models"]
    assert model["path"].startswith(str(tmp_path / "elsewhere"))
    assert model["verified"]
    assert model["source"] == str(checkpoint)


def test_options_of_later_versions_say_so(checkpoint: Path) -> None:
    done = run_pronk("convert", str(checkpoint), "--type", "Q8_0", "--imatrix", "auto", "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["error"]["kind"] == "not_yet"


@pytest.mark.parametrize("how", ["cancel", "end of file"])
def test_called_off_by_its_parent(how: str, tmp_path: Path, home: Home) -> None:
    checkpoint = tiny_checkpoint(tmp_path / "large", num_hidden_layers=2, hidden_size=1024, intermediate_size=4096)
    command = [
        sys.executable,
        "-P",
        "-m",
        "app",
        "convert",
        str(checkpoint),
        "--type",
        "Q2_K",
        "--events",
        "--watch-stdin",
    ]
    process = subprocess.Popen(command, stdin=-1, stdout=-1, stderr=-1, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    for line in process.stdout:
        event = json.loads(line)
        if event.get("phase") == "quantize" and event["done_bytes"] > 0:
            break
    (converter, *_) = psutil.Process(process.pid).children()
    if how == "cancel":
        process.stdin.write("cancel\n")
        process.stdin.flush()
    else:
        process.stdin.close()
    assert process.wait(10) == (130 if how == "cancel" else 0)
    wait_until(lambda: not converter.is_running(), 10, "the converter's end")
    for pipe in (process.stdin, process.stdout, process.stderr):
        assert pipe is not None
        pipe.close()
    assert not list(home.models.glob("*.gguf"))
    if how == "cancel":  # the same command goes on
        result = pronk_json("convert", str(checkpoint), "--type", "Q2_K")
        assert result["resumed_bytes"] > 0
        assert [path.name for path in home.models.iterdir()] == ["large-Q2_K.gguf"]
