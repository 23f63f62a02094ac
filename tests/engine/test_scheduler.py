"""The scheduler over a real context: batching, a full memory, an aborted decode."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.models import gemma3_gguf, smollm2_gguf

pytestmark = pytest.mark.native

ONE, TWO = "Once upon a time there was a", "The capital of France is"


def run(steps: list[Any], parallel: int, context: int, model: Path | None = None) -> list[list[dict[str, Any]]]:
    command = [sys.executable, "-m", "tests.support.scheduler_child", str(model or smollm2_gguf())]
    done = subprocess.run(
        [*command, str(parallel), str(context)],
        input=json.dumps(steps).encode(),
        capture_output=True,
        timeout=200,
        cwd=Path(__file__).parents[2],
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    report: list[list[dict[str, Any]]] = json.loads(done.stdout)
    return report


def test_answers_written_together_stay_apart() -> None:
    alone, together = run([[[ONE, 12]], [[ONE, 12], [TWO, 12], [ONE, 12]]], parallel=3, context=512)
    assert together[0]["text"].split()[:3] == alone[0]["text"].split()[:3]
    assert "Paris" in together[1]["text"]
    assert together[0]["text"] != together[1]["text"]
    assert all(answer["finish_reason"] == "length" for answer in together)


def test_more_requests_than_sequences_wait_their_turn() -> None:
    (answers,) = run([[[ONE, 4]] * 5], parallel=2, context=512)
    assert [answer["finish_reason"] for answer in answers] == ["length"] * 5


def test_idle_prefixes_make_room() -> None:
    first, second = run([[["one " * 150, 2]], [["two " * 200, 2]]], parallel=2, context=256)
    assert first[0]["finish_reason"] == second[0]["finish_reason"] == "length"
    assert second[0]["usage"]["prompt_tokens"] >= 200


def test_two_that_do_not_fit_together_are_told_so() -> None:
    (answers,) = run([[["one " * 150, 90], ["two " * 150, 4]]], parallel=2, context=256)
    assert answers[0]["finish_reason"] == "length"
    assert (answers[1]["event"], answers[1]["kind"]) == ("error", "memory")
    assert "256" in answers[1]["message"]


def test_answers_that_fill_the_shared_context_end() -> None:
    (answers,) = run([[["one " * 100, 400], ["two " * 100, 400]]], parallel=2, context=256)
    assert [answer["finish_reason"] for answer in answers] == ["length", "length"]
    assert sum(answer["usage"]["total_tokens"] for answer in answers) > 256


@pytest.mark.parametrize("model", [smollm2_gguf, gemma3_gguf])
def test_an_aborted_decode_is_done_again(model: Any) -> None:
    steps = [[[ONE, 10]], [["other " * 20, 1]], "abort", [[ONE, 10]]]
    plain, _, aborted = run(steps, parallel=1, context=512, model=model())
    assert aborted[0]["text"] == plain[0]["text"]
