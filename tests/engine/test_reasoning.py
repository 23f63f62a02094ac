"""<think>…</think> is told apart from the answer, however the text is cut."""

import pytest

from app.engine.reasoning import ReasoningSplitter

CASES = [
    ("<think>\nhm, 2+2\n</think>\n\nFour.", False, "hm, 2+2\n", "Four."),
    ("hm</think>Four.", True, "hm", "Four."),
    ("Four. <think> is a word.", False, "", "Four. <think> is a word."),
    ("<thin air", False, "", "<thin air"),
    ("<think>never closed", False, "never closed", ""),
    ("a < b", False, "", "a < b"),
    ("", False, "", ""),
]


@pytest.mark.parametrize(("text", "thinking", "reasoning", "answer"), CASES)
@pytest.mark.parametrize("size", [1, 3, 100])
def test_split(text: str, thinking: bool, reasoning: str, answer: str, size: int) -> None:
    splitter = ReasoningSplitter(thinking)
    parts = [splitter.feed(text[at : at + size]) for at in range(0, len(text), size)]
    parts.append(splitter.finish())
    assert "".join(thought for thought, _ in parts) == reasoning
    assert "".join(said for _, said in parts) == answer
