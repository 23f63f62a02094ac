"""Regenerate and edit give the logits of a fresh run, also where llama.cpp's own answer to a roll-back misleads."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.engine.sequences import Sequence, choose, common_prefix
from tests.support.models import gemma3_gguf, smollm2_gguf


def figures(model: Path, n_facts: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.support.reuse_child", str(model), str(n_facts)]
    done = subprocess.run(command, capture_output=True, check=True, timeout=250, cwd=Path(__file__).parents[2])
    result: dict[str, Any] = json.loads(done.stdout)
    return result


@pytest.mark.native
@pytest.mark.parametrize(("model", "n_facts"), [(smollm2_gguf, 24), (gemma3_gguf, 60)])
def test_regenerate_and_edit_equal_a_fresh_run(model: Callable[[], Path], n_facts: int) -> None:
    report = figures(model(), n_facts)
    for case in ("regenerate", "edit"):
        assert report[case]["max_difference"] == 0
        assert report[case]["kl"] == 0
    if model is gemma3_gguf:
        assert report["n_swa"] == 512
        assert report["prompt_tokens"] > 900
        # Keeping what is in common: the proof refuses what the window lost; without it wrong logits and no error.
        assert report["proven_edit"]["cached_tokens"] == 0
        assert report["proven_edit"]["max_difference"] == 0
        assert report["blind_edit"]["cached_tokens"] > 400
        assert report["blind_edit"]["max_difference"] > 1
        assert report["blind_edit"]["kl"] > 0.03


def test_common_prefix() -> None:
    assert common_prefix([], [1]) == 0
    assert common_prefix([1, 2, 3], [1, 2, 3, 4]) == 3
    assert common_prefix([1, 2, 3], [1, 5, 3]) == 1


def test_a_conversation_finds_its_sequence_and_spares_others() -> None:
    ours = Sequence(0, [1, 2, 3, 4, 5, 6], used_at=1)
    other = Sequence(1, [1, 2, 9, 9, 9, 9, 9, 9], used_at=2)
    empty = Sequence(2)
    assert choose([other, ours, empty], [1, 2, 3, 4, 5, 6, 7]) == (ours, 6)
    assert choose([other, ours, empty], [1, 2, 8, 8]) == (empty, 0)
    assert choose([other, ours], [7, 7]) == (ours, 0)
