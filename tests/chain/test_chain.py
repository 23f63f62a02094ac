"""The main job on real weights: checkpoint, convert, list, plan, chat."""

from pathlib import Path

import pytest

from app.core.paths import Home
from tests.support.cli import pronk_json

NAME = "SmolLM2-135M-Instruct"

pytestmark = pytest.mark.native


def test_both_files_are_in_the_library() -> None:
    models = {model["name"]: model for model in pronk_json("models", "list")["models"]}
    assert set(models) == {f"{NAME}-Q4_K_M", f"{NAME}-Q8_0"}
    assert models[f"{NAME}-Q4_K_M"]["type"] == "Q4_K_M"
    assert all(Path(model["path"]).stat().st_size == model["size_bytes"] for model in models.values())


def test_inspect() -> None:
    facts = pronk_json("inspect", f"{NAME}-Q4_K_M")
    assert (facts["architecture"], facts["n_layers"], facts["has_chat_template"]) == ("llama", 30, True)
    assert facts["parameters"] == pytest.approx(134.5e6, rel=0.01)


def test_plan_is_exact_and_fits() -> None:
    plan = pronk_json("plan", f"{NAME}-Q4_K_M")
    assert (plan["verdict"], plan["method"]) == ("cpu", "dry_run")
    assert plan["n_layers_total"] == 31
    assert plan["context"] == 8192
    assert plan["reasons"]


def test_chat_answers() -> None:
    answer = pronk_json(
        "chat",
        f"{NAME}-Q4_K_M",
        "--prompt",
        "What is the capital of France?",
        "--max-tokens",
        "24",
        "--temperature",
        "0",
    )
    assert answer["text"].strip()
    assert answer["usage"]["completion_tokens"] <= 24
    assert answer["finish_reason"] in ("stop", "length")


def test_no_part_file_is_left(converted: Path) -> None:
    assert sorted(path.suffix for path in Home(converted).models.iterdir()) == [".gguf", ".gguf"]
