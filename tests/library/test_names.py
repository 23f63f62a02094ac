from pathlib import Path

import pytest

from app.library.names import is_model_file, matching_names, model_name, near_names


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("SmolLM2.Q4_1.gguf", "SmolLM2.Q4_1"),
        ("my model (1).gguf", "my-model-1"),
        ("模型 七.gguf", "模型-七"),
        ("big-00001-of-00003.gguf", "big"),
        ("--help.gguf", "help"),
        ("a\u202etxt.gguf", "a-txt"),
        ("???.gguf", "model"),
    ],
)
def test_names_are_safe_on_a_command_line(file: str, name: str) -> None:
    assert model_name(Path("/models", file), set()) == name


def test_names_are_unique_whatever_their_case() -> None:
    assert model_name(Path("A.gguf"), {"a", "a-2"}) == "A-3"


@pytest.mark.parametrize(
    ("file", "listed"),
    [
        ("a.gguf", True),
        ("a.GGUF", True),
        ("a-00001-of-00002.gguf", True),
        ("a-00002-of-00002.gguf", False),
        ("a.gguf.part", False),
        (".a.gguf", False),
        ("gguf", False),
        ("not utf-8 \udcff.gguf", False),
    ],
)
def test_what_counts_as_a_model_file(file: str, listed: bool) -> None:
    assert is_model_file(file) is listed


def test_the_exact_name_wins_then_any_case_then_the_beginning() -> None:
    names = ("Gemma", "gemma-2", "gemma")
    assert matching_names("gemma", names) == ("gemma",)
    assert matching_names("GEMMA-2", names) == ("gemma-2",)
    assert matching_names("gem", names) == names
    assert matching_names("", names) == ()


def test_near_names_forgive_a_slip() -> None:
    assert near_names("smolm2", ["SmolLM2-135M", "gemma-3"]) == ("SmolLM2-135M",)
    assert near_names("zzz", ["SmolLM2-135M"]) == ()
