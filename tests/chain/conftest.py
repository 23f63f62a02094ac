"""One conversion of the starter model's checkpoint, for the whole chain."""

import json
from pathlib import Path

import pytest

from tests.support.checkpoints import make_checkpoint
from tests.support.cli import run_pronk
from tests.support.models import smollm2_gguf

NAME = "SmolLM2-135M-Instruct"


@pytest.fixture(scope="package")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with the starter model's checkpoint converted to Q4_K_M and Q8_0."""
    root = tmp_path_factory.mktemp("chain") / "Pronk 数据"
    checkpoint = root.parent / NAME
    make_checkpoint(smollm2_gguf(), checkpoint, n_shards=2)
    done = run_pronk("convert", str(checkpoint), "--type", "Q4_K_M", "--type", "Q8_0", "--events", "--home", str(root))
    assert done.returncode == 0, done.stderr
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert events[-1]["event"] == "done"
    assert any(event["event"] == "progress" and event["done_bytes"] > 0 for event in events)
    result = events[-1]["result"]
    assert [file["type"] for file in result["files"]] == ["Q4_K_M", "Q8_0"]
    assert result["architecture"] == "llama"
    parity = result["tokenizer_parity"]
    assert parity["equal"] == parity["checked"] >= 300
    return root


@pytest.fixture(autouse=True)
def _in_that_home(converted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRONK_HOME", str(converted))
