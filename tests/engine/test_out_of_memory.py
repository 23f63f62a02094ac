"""Memory that really runs out: lent by a computer that claims more than it gives, or limited for the engine itself."""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.core.paths import Home
from app.engine.values import ChatOptions, TextArrived
from app.jobs.commands import module_command
from app.jobs.process import close_stdin, read_events, send_line, start_process
from tests.support.counts import counted
from tests.support.engine import Running, running_engine, write_plan
from tests.support.limited_rpc import limited_lender
from tests.support.models import gemma3_gguf, smollm2_gguf
from tests.support.waiting import wait_until

pytestmark = [
    pytest.mark.native,
    pytest.mark.skipif(sys.platform != "linux", reason="memory is limited with RLIMIT_AS"),
]

MIB = 2**20
RECOVERED_S = 60.0
HELLO = [{"role": "user", "content": "Say hello."}]
LONG_QUESTION = [{"role": "user", "content": "Say hi. " * 150}]


@contextlib.contextmanager
def lent_engine(home: Home, model: Path, limit_bytes: int, *options: str) -> Iterator[tuple[Running, Any]]:
    """Start an engine with a computer that gives so much; yields it, still loading, and the lender's process."""
    with (
        limited_lender(home.logs / "lender.log", limit_bytes) as (endpoint, lender),
        running_engine(home, model, "--rpc", endpoint, *options, loaded=False) as running,
    ):
        yield running, lender


def replans(running: Running) -> int:
    return running.kinds().count("replanned")


@pytest.mark.soak
@pytest.mark.timeout(200 * 60)
def test_random_loads_all_answer(home: Home) -> None:
    """(model, context, limit) at random: each answers within a minute, whatever the lender refuses."""
    rounds = 200 if counted(200) == 200 else 2
    rng = random.Random(7)
    needed: Counter[int] = Counter()
    slowest_s = 0.0
    for round_ in range(rounds):
        model = rng.choice((smollm2_gguf(), gemma3_gguf()))
        context = rng.choice((512, 1024, 2048, 4096, 8192, 16384))
        limit = int(MIB * 2 ** rng.uniform(5, 10))
        words = rng.choice((1, 10, 50))
        what = f"round {round_}: {model.name}, context {context}, limit {limit // MIB} MiB"
        started_s = time.monotonic()
        with lent_engine(home, model, limit, "--context", str(context)) as (running, _):
            answer = running.client.chat([{"role": "user", "content": "Say hi. " * words}], ChatOptions(max_tokens=4))
            elapsed_s = time.monotonic() - started_s
            assert answer.finish_reason in ("stop", "length"), what
            assert elapsed_s < RECOVERED_S, f"{what} took {elapsed_s:.1f} s: {running.kinds()}"
            needed[replans(running)] += 1
            slowest_s = max(slowest_s, elapsed_s)
            print(f"{what}: {replans(running)} plans made again, {elapsed_s:.1f} s", flush=True)
    print(f"{rounds} loads by plans made again: {dict(sorted(needed.items()))}, the slowest took {slowest_s:.1f} s")
    assert rounds - needed[0] >= rounds / 3, f"too few loads met the limit: {needed}"


def test_a_refused_load_is_planned_again_and_remembered(home: Home) -> None:
    with lent_engine(home, smollm2_gguf(), 700 * MIB, "--context", "32768") as (running, _):
        assert running.client.chat(HELLO, ChatOptions(max_tokens=2)).finish_reason == "length"
        plans = [event["plan"] for event in running.events if "plan" in event]
        assert plans[0]["verdict"] == "gpu"
        assert 0 < plans[-1]["n_gpu_layers"] < plans[0]["n_gpu_layers"], "what the lender gives is used"
        assert running.engine.plan == plans[-1]
        replanned = running.wait_for("replanned")
        assert "did not fit" in replanned["reason"]
        assert replanned["engine_pid"] == running.engine.engine_pid
        loaded = running.wait_for("loaded")
        assert loaded["measured"] == loaded["predicted"], "the dry run right before the load is exact"
    lessons = json.loads((home.cache / "reserves.json").read_text())["reserves"]
    assert len(lessons) == 1
    assert all("llama dense under 1 GiB" in key and size > 256 * MIB for key, size in lessons.items())


def test_an_answer_goes_on_when_the_lender_dies(home: Home) -> None:
    with lent_engine(home, smollm2_gguf(), 2000 * MIB, "--context", "1024") as (running, lender):
        texts: list[str] = []
        answers: list[Any] = []

        def ask() -> None:
            options = ChatOptions(max_tokens=40, temperature=0.0)
            answers.append(running.client.chat(HELLO, options, lambda event: keep(event, texts)))

        thread = threading.Thread(target=ask)
        thread.start()
        wait_until(lambda: len(texts) > 2, 60, "text")
        before = "".join(texts)
        lender.kill()
        thread.join(2 * RECOVERED_S)
        assert not thread.is_alive()
        (answer,) = answers
        assert answer.text.startswith(before)
        assert "".join(texts) == answer.text
        assert answer.finish_reason == "stop" or abs(answer.usage["completion_tokens"] - 40) <= 1
        assert len(running.client.tokenize(answer.text)) <= 42, "it was continued, not begun again"
        assert running.kinds().index("engine_died") < running.kinds().index("replanned")
        restarted = running.wait_for("restarted")
        assert restarted["plan"]["devices"] == []
        assert "processor alone" in running.wait_for("replanned")["reason"]


def keep(event: Any, texts: list[str]) -> None:
    if isinstance(event, TextArrived):
        texts.append(event.text)


@pytest.mark.soak
@pytest.mark.skipif(os.environ.get("PRONK_SOAK") != "1", reason="it waits for a minute; test_patience has the parts")
def test_an_answer_goes_on_when_the_lender_freezes(home: Home) -> None:
    """Its machine still acknowledges, but nobody answers: SIGSTOP."""
    with lent_engine(home, smollm2_gguf(), 2000 * MIB, "--context", "1024", "--gpu-layers", "31") as (running, lender):
        texts: list[str] = []
        answers: list[Any] = []

        def ask() -> None:
            options = ChatOptions(max_tokens=60, temperature=0.0)
            answers.append(running.client.chat(HELLO, options, lambda event: keep(event, texts)))

        thread = threading.Thread(target=ask)
        thread.start()
        wait_until(lambda: len(texts) > 2, 60, "text")
        lender.send_signal(signal.SIGSTOP)
        thread.join(3 * RECOVERED_S)
        assert not thread.is_alive()
        assert answers[0].text == "".join(texts)
        assert "no longer answers" in running.wait_for("replanned")["reason"]


def test_memory_that_runs_out_while_it_answers(home: Home) -> None:
    """The lender has room for the model but not for the work on a long question."""
    with lent_engine(home, smollm2_gguf(), 130 * MIB, "--context", "1024") as (running, _):
        answer = running.client.chat(LONG_QUESTION, ChatOptions(max_tokens=3))
        assert answer.finish_reason == "length"
        assert answer.usage["completion_tokens"] == 3
        assert replans(running) >= 1


def test_more_layers_than_fit_are_lowered_and_told(home: Home) -> None:
    words = ("--context", "1024", "--gpu-layers", "31")
    with lent_engine(home, smollm2_gguf(), 60 * MIB, *words) as (running, _):
        assert running.client.chat(HELLO, ChatOptions(max_tokens=2)).text
        assert running.engine.plan["n_gpu_layers"] < 31
        assert "loaded again" in running.wait_for("replanned")["reason"]


def test_the_processor_alone_with_too_little_memory_is_told(home: Home) -> None:
    """A context that was asked for is never made smaller: the error has numbers."""
    command = (*("chat", str(smollm2_gguf()), "--context", "65536", "--kv-type", "f16"), "--prompt", "Hi", "--json")
    done = limited_pronk(1500 * 1000, *command)
    assert done.returncode == 1
    error = json.loads(done.stdout)["error"]
    assert error["kind"] == "memory", error
    assert "65,536 tokens" in error["message"]
    assert "MB" in error["message"]


def limited_pronk(limit_kib: int, *command: str) -> "subprocess.CompletedProcess[str]":
    limited = ["sh", "-c", f'ulimit -v {limit_kib}; exec "$@"', "sh", sys.executable, "-P", "-m", "app", *command]
    return subprocess.run(
        limited, capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL, check=False, env={**os.environ}
    )


def test_the_worker_looks_before_it_loads(home: Home, tmp_path: Path) -> None:
    """A plan that counted on memory which is gone is not loaded; the bytes that are missing are told."""
    plan = json.loads(write_plan(tmp_path, context=512).read_text())
    plan["host"] |= {"total_bytes": 2**50, "free_bytes": 2**50, "reserve_bytes": 2**49}
    load = {"op": "load", "path": str(smollm2_gguf()), "plan": plan, "skeletons": str(home.cache / "skeletons")}
    failed = first_words({**load, "look": True}, home)
    assert failed["event"] == "failed"
    assert failed["kind"] == "memory"
    assert 2**48 < failed["missing"]["CPU"] < 2**49 + 2**30
    loaded = first_words({**load, "look": False}, home)
    assert loaded["event"] == "loaded"
    assert loaded["measured"] == loaded["predicted"]


def first_words(load: dict[str, Any], home: Home) -> dict[str, Any]:
    """Return what a worker says of a load, progress left out."""
    process = start_process(module_command("app.engine.worker"), home.logs / "worker.log")
    try:
        send_line(process, json.dumps(load))
        return next(event for event in read_events(process) if event["event"] in ("loaded", "failed"))
    finally:
        close_stdin(process)
        process.wait(10)
