"""Regenerate and edit give the logits of a fresh run, also where llama.cpp's own answer to a roll-back misleads."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.engine.scheduler import EXACT_CHUNK
from app.engine.sequences import Sequence, choose, common_prefix
from tests.support.models import gemma3_gguf, smollm2_gguf

ALWAYS_REUSE_S = 0.0
ALWAYS_FRESH_S = 1000.0


def figures(model: Path, n_facts: int, fresh_run_s: float) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.support.reuse_child", str(model), str(n_facts), str(fresh_run_s)]
    done = subprocess.run(command, capture_output=True, check=True, timeout=250, cwd=Path(__file__).parents[2])
    result: dict[str, Any] = json.loads(done.stdout)
    return result


@pytest.mark.native
def test_full_attention_reuses_almost_everything() -> None:
    report = figures(smollm2_gguf(), 24, ALWAYS_REUSE_S)
    assert report["n_swa"] == 0
    assert report["regenerate"]["cached_tokens"] == report["prompt_tokens"] - EXACT_CHUNK
    assert report["edit"]["cached_tokens"] > report["prompt_tokens"] // 4
    for case in ("regenerate", "edit"):
        assert report[case]["max_difference"] < 1e-3
        assert report[case]["kl"] < 1e-6


@pytest.mark.native
def test_sliding_window_reuses_only_what_is_proven() -> None:
    report = figures(gemma3_gguf(), 60, ALWAYS_REUSE_S)
    assert report["n_swa"] == 512
    assert report["prompt_tokens"] > 900
    assert report["regenerate"]["cached_tokens"] == report["prompt_tokens"] - EXACT_CHUNK
    assert report["regenerate"]["kl"] < 0.02
    assert report["edit"]["cached_tokens"] == 0
    assert report["edit"]["max_difference"] < 1e-3
    # The same edit without the proof: wrong logits and no error. This is what the proof is for.
    assert report["blind_edit"]["cached_tokens"] > 400
    assert report["blind_edit"]["max_difference"] > 1
    assert report["blind_edit"]["kl"] > 0.03


@pytest.mark.native
@pytest.mark.parametrize(("model", "n_facts"), [(smollm2_gguf, 12), (gemma3_gguf, 40)])
def test_quick_prompts_are_read_again_and_equal_a_fresh_run(model: Callable[[], Path], n_facts: int) -> None:
    report = figures(model(), n_facts, ALWAYS_FRESH_S)
    for case in ("regenerate", "edit"):
        assert report[case]["cached_tokens"] == 0
        assert report[case]["max_difference"] == 0
        assert report[case]["kl"] == 0


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
