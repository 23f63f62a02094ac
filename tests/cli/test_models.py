import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.support.cli import pronk_json, run_pronk
from tests.support.gguf_builder import small_model

FIELDS = {"name", "path", "size_bytes", "architecture", "type", "source", "revision", "verified", "missing"}


def model_file(folder: Path, name: str = "tiny.gguf") -> Path:
    path = folder / name
    path.write_bytes(small_model())
    return path


def test_add_list_inspect_verify_and_remove(tmp_path: Path) -> None:
    path = model_file(tmp_path)
    assert pronk_json("models", "add", str(path), "--force")["models"][0]["name"] == "tiny"
    (model,) = pronk_json("models")["models"]
    assert set(model) >= FIELDS
    assert model["path"] == str(path)
    facts = pronk_json("inspect", "tiny")
    assert facts == {
        "path": str(path),
        "size_bytes": path.stat().st_size,
        "architecture": "llama",
        "name": "Tiny 测试",
        "parameters": 6464,
        "file_type": "F16",
        "n_layers": 2,
        "context_length": 512,
        "n_tensors": 2,
        "has_chat_template": True,
        "license": "",
    }
    verified = run_pronk("models", "verify", "--events")
    lines = [json.loads(line) for line in verified.stdout.splitlines()]
    assert [line["event"] for line in lines] == ["progress", "done"]
    assert lines[-1]["result"]["models"][0]["verified"] is True
    assert pronk_json("models", "remove", "tiny") == {"models": []}


def test_commands_at_the_same_time_do_not_hurt_each_other(tmp_path: Path) -> None:
    folders = [tmp_path / str(number) for number in range(6)]
    for folder in folders:
        folder.mkdir()
        model_file(folder, "same.gguf")
    with ThreadPoolExecutor() as pool:
        done = list(pool.map(lambda folder: run_pronk("models", "add", str(folder / "same.gguf"), "--force"), folders))
    assert [process.returncode for process in done] == [0] * 6
    models = pronk_json("models")["models"]
    assert {model["path"] for model in models} == {str(folder / "same.gguf") for folder in folders}
    assert len({model["name"] for model in models}) == 6


def test_text_for_people_is_an_aligned_table(tmp_path: Path) -> None:
    assert "library is empty" in run_pronk("models").stdout
    run_pronk("models", "add", str(model_file(tmp_path)), "--force")
    head, row = run_pronk("models").stdout.splitlines()
    assert head.index("ARCHITECTURE") == row.index("llama")
    assert "kB" in row
    assert "6,464" in run_pronk("inspect", "tiny").stdout


def test_errors_are_words_and_json(tmp_path: Path) -> None:
    failed = run_pronk("inspect", str(tmp_path), "--json")
    assert failed.returncode == 1
    assert json.loads(failed.stdout)["error"]["kind"] == "bad_file"
    assert "is a folder" in failed.stderr
    assert "Traceback" not in failed.stderr
    cut = model_file(tmp_path)
    cut.write_bytes(cut.read_bytes()[:-7])
    failed = run_pronk("models", "add", str(cut))
    assert failed.returncode == 1
    assert "7 bytes are missing" in failed.stderr
    assert run_pronk("models", "add").returncode == 1
    assert run_pronk("models", "frobnicate").returncode == 2
