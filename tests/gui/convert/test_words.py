"""What the convert page says, by tables."""

import pytest

from app.gui.convert.result_words import best_path, result_lines
from app.gui.convert.types import OFFERED, USUAL, quality_text
from app.gui.convert.words import count_parameters, dropped_words, source_words, verdict_text
from converters.quant_types import FILE_TYPES


def test_every_type_of_the_converter_is_offered_with_a_word() -> None:
    assert set(OFFERED) == set(FILE_TYPES)
    assert set(USUAL) < set(OFFERED)
    assert all(quality_text(name) for name in OFFERED)
    assert quality_text("Q9_Z") == ""


@pytest.mark.parametrize(
    ("n", "words"),
    [(1_100_048_384, "1.1 billion"), (68_976_648_192, "69.0 billion"), (405_000_000_000, "405 billion"),
     (134_515_008, "135 million"),
     (999_600_000, "1.0 billion"), (1_320_192, "1.3 million")],
)  # fmt: skip
def test_parameters(n: int, words: str) -> None:
    assert count_parameters(n) == f"{words} parameters"


def test_the_source_in_a_line() -> None:
    words = source_words("LlamaForCausalLM", 1_100_048_384, 2, 2_200_000_000)
    assert words == "LlamaForCausalLM, 1.1 billion parameters, 2 files, 2.2 GB"
    assert source_words("NewModel", 0, 0, 0) == "NewModel"


def test_verdicts() -> None:
    assert verdict_text("gpu", 1) == "fits on your GPU"
    assert verdict_text("gpu", 2) == "fits on your GPUs"
    assert verdict_text("partial", 1) == "partly on your GPU"
    assert verdict_text("cpu", 0) == "runs on your processor"
    assert verdict_text("too_big", 0) == "too big for this computer"
    assert verdict_text("", 0) == ""


def test_chat_now_takes_the_recommended_type() -> None:
    eight, four = {"type": "Q8_0", "path": "/m/8.gguf"}, {"type": "Q4_K_M", "path": "/m/4.gguf"}
    assert best_path([eight, four]) == "/m/4.gguf"
    assert best_path([eight]) == "/m/8.gguf"
    assert best_path([]) == ""


def test_what_could_not_be_tried_is_said_once() -> None:
    large = {"n_tensors": 272, "greedy_tokens": 0, "note": "L: no trial answer."}
    bad = {"n_tensors": 272, "greedy_tokens": 3, "note": "B: the trial answer ended."}
    texts = [
        line.text for line in result_lines({"self_check": [large, bad], "warnings": ["B: the trial answer ended."]})
    ]
    assert texts == [
        "Self-check: llama.cpp loads each file, 272 tensors.",
        "L: no trial answer.",
        "B: the trial answer ended.",
    ]


def test_what_is_left_out() -> None:
    assert dropped_words([]) == ""
    assert dropped_words(["a"]) == "1 tensor of the checkpoint is left out: a."
    assert dropped_words(["v.1", "v.2"]) == "2 tensors of the checkpoint are left out, the first is v.1."


def test_the_result_in_lines() -> None:
    result = {
        "tokenizer_parity": {"checked": 336, "equal": 336},
        "self_check": {"n_tensors": 272, "greedy_tokens": 32, "note": ""},
        "resumed_bytes": 1_200_000_000,
        "warnings": ["Q4_K_M: so it is done."],
    }
    assert [(line.kind, line.text) for line in result_lines(result)] == [
        ("ok", "Tokenizer: 336 of 336 test texts give the same tokens."),
        ("muted", "Self-check: llama.cpp loads the file, 272 tensors. A trial answer of 32 tokens went well."),
        ("muted", "1.2 GB were done already when it was continued."),
        ("warning", "Q4_K_M: so it is done."),
    ]
    assert result_lines({"tokenizer_parity": {"checked": 336, "equal": 330}})[0].kind == "warning"
    assert result_lines({}) == []
