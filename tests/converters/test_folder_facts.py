"""What a checkpoint's folder says beside config.json."""

import json
from pathlib import Path
from typing import Any

import pytest

from converters.errors import BadCheckpoint
from converters.folder_facts import POOLING, RERANK_TOKENS, SUPPRESSED_TOKENS, folder_facts
from converters.general import general_metadata

MODULES = [
    {"path": "", "type": "sentence_transformers.models.Transformer"},
    {"path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
]
TOKENIZER = {"model": {"vocab": {"no": 2152, "yes": 9693}}}


def facts(folder: Path, files: dict[str, Any], **config: Any) -> tuple[Any, Any]:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    found = folder_facts(folder, config)
    return found[POOLING], found[RERANK_TOKENS]


def test_a_plain_folder_says_nothing(tmp_path: Path) -> None:
    assert facts(tmp_path, {"README.md": "# Qwen3\n", "tokenizer.json": TOKENIZER}) == (None, None)


@pytest.mark.parametrize(
    ("settings", "pooling"),
    [
        ({"pooling_mode_mean_tokens": True}, "mean"),
        ({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}, "cls"),
        ({"pooling_mode_lasttoken": True}, "lasttoken"),
        ({"pooling_mode": "mean"}, "mean"),
    ],
)
def test_pooling_is_that_of_sentence_transformers(tmp_path: Path, settings: dict[str, Any], pooling: str) -> None:
    assert facts(tmp_path, {"modules.json": MODULES, "1_Pooling/config.json": settings}) == (pooling, None)


@pytest.mark.parametrize(
    "files",
    [
        {"modules.json": [{"path": "../1_Pooling", "type": "Pooling"}]},
        {"modules.json": [{"path": "..", "type": "Pooling"}]},
        {"modules.json": [{"path": 3, "type": "Pooling"}]},
        {"modules.json": "[", "1_Pooling/config.json": {}},
        {"modules.json": MODULES},
        {"modules.json": MODULES, "1_Pooling/config.json": {"pooling_mode": "weightedmean"}},
    ],
)
def test_senseless_pooling_is_refused(tmp_path: Path, files: dict[str, Any]) -> None:
    with pytest.raises(BadCheckpoint, match=r"modules.json|config.json"):
        facts(tmp_path, files)


@pytest.mark.parametrize(
    ("name", "files", "config"),
    [
        ("Qwen3-Reranker-4B", {}, {}),
        ("3f2a", {"README.md": "---\nlicense: mit\n---\n# Qwen3-Reranker-0.6B"}, {}),
        ("3f2a", {}, {"_name_or_path": "Qwen/Qwen3-Reranker-8B"}),
    ],
)
def test_a_reranker_is_told_by_its_name_or_card(
    tmp_path: Path, name: str, files: dict[str, Any], config: dict[str, Any]
) -> None:
    assert facts(tmp_path / name, {"tokenizer.json": TOKENIZER} | files, **config) == (None, [9693, 2152])


def test_a_reranker_without_these_words_is_none(tmp_path: Path) -> None:
    assert facts(tmp_path / "Qwen3-Reranker", {"tokenizer.json": {"model": {"vocab": {"no": 1}}}}) == (None, None)


def test_suppressed_tokens_are_those_of_the_generation_config(tmp_path: Path) -> None:
    facts(tmp_path, {"generation_config.json": {"suppress_tokens": [7, 9]}})
    assert folder_facts(tmp_path, {})[SUPPRESSED_TOKENS] == [7, 9]


@pytest.mark.parametrize("tokens", [7, ["x"], [-1], [True], [1 << 40]])
def test_senseless_suppressed_tokens_are_refused(tmp_path: Path, tokens: Any) -> None:
    with pytest.raises(BadCheckpoint, match="suppress_tokens"):
        facts(tmp_path, {"generation_config.json": {"suppress_tokens": tokens}})


def test_a_card_too_large_to_be_one_is_left_out(tmp_path: Path) -> None:
    with (tmp_path / "README.md").open("wb") as card:
        card.write(b"---\nlicense: mit\n---\n")
        card.truncate(1 << 23)
    assert "general.license" not in general_metadata(tmp_path, "llama", {"token_embd.weight": (2, 2)})
