"""Which folder a SOURCE means; the words for what is none."""

from pathlib import Path

import pytest

from app.actions.checkpoint_folder import checkpoint_folder
from app.core.errors import BadFile, NotYet


def checkpoint(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    return folder


def test_a_folder_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = checkpoint(tmp_path / "org" / "模型 one")
    monkeypatch.chdir(tmp_path)
    assert checkpoint_folder("org/模型 one") == folder


@pytest.mark.parametrize("source", ["hf:org/repo", "ms:org/repo", "https://huggingface.co/org/repo", "org/repo-1.5B"])
def test_a_model_on_a_hub_is_not_fetched_yet(source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(NotYet, match=source) as raised:
        checkpoint_folder(source)
    assert "Download its files" in raised.value.hint


def test_a_folder_that_is_not_there_is_the_converters_to_refuse(tmp_path: Path) -> None:
    assert checkpoint_folder(str(tmp_path / "gone")) == tmp_path / "gone"


@pytest.mark.parametrize(
    ("name", "hint"), [("m.gguf", "pronk models add {}/m.gguf"), ("config.json", "it is in: {}"), ("x", "Give the")]
)
def test_a_file_is_refused_with_the_way_on(name: str, hint: str, tmp_path: Path) -> None:
    folder = checkpoint(tmp_path / "model") if name == "config.json" else tmp_path
    (folder / name).write_text("{}")
    with pytest.raises(BadFile, match="is a file") as raised:
        checkpoint_folder(str(folder / name))
    assert hint.format(folder) in raised.value.hint


@pytest.mark.parametrize("below", ["a", "snapshots/abc"])
def test_a_folder_one_level_too_high_names_the_models_in_it(below: str, tmp_path: Path) -> None:
    model = checkpoint(tmp_path / below)
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadFile) as raised:
        checkpoint_folder(str(tmp_path))
    assert raised.value.hint == f"Choose one of them: {model}."
