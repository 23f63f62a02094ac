"""The helper process: one death is bad luck, two on the same request are an answer."""

import subprocess
import sys
from pathlib import Path

import pytest

from converters.errors import EngineFailed
from converters.events import Cancel
from converters.gguf_header import encode_header
from converters.helper import Helper
from converters.tokenizer.load import load_tokenizer
from converters.values import text
from tests.support.checkpoints import tiny_checkpoint

pytestmark = pytest.mark.native


@pytest.fixture
def vocab(tmp_path: Path) -> Path:
    folder = tiny_checkpoint(tmp_path / "model")
    tokenizer = load_tokenizer(folder, {}, 272)
    path = tmp_path / "vocab.gguf"
    metadata = {"general.architecture": text("llama"), **tokenizer.metadata("gpt-2")}
    path.write_bytes(encode_header(metadata, ()))
    return path


def test_a_request_that_meets_a_dead_process_is_asked_again(vocab: Path) -> None:
    with Helper(Cancel()) as helper:
        first = helper.ask(do="tokenize", model=str(vocab), pre=None, texts=["hello"])
        assert helper._process is not None
        helper._process.kill()
        helper._process.wait()
        assert helper.ask(do="tokenize", model=str(vocab), pre=None, texts=["hello"]) == first


def test_a_request_that_kills_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    starts: list[int] = []

    def short_lived() -> "subprocess.Popen[str]":
        starts.append(1)
        command = [sys.executable, "-c", "input(); raise SystemExit(7)"]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    monkeypatch.setattr("converters.helper._start", short_lived)
    with Helper(Cancel()) as helper, pytest.raises(EngineFailed, match=r"ended \(code 7\) on tokenize"):
        helper.ask(do="tokenize", model="any", pre=None, texts=["hello"])
    assert len(starts) == 2
