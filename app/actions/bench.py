"""Measuring how fast a model runs here, through the engine as everything else uses it."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from statistics import median
from typing import Any

import psutil

from app.actions.context import Pronk
from app.actions.engine import start_engine
from app.core.errors import Cancelled, from_event
from app.engine.client import EngineClient
from app.engine.supervisor import Engine
from app.engine.values import Answer, ChatOptions
from app.plan.speed import ANSWER_TOKENS, PROMPT_TOKENS

OnEvent = Callable[[Mapping[str, Any]], None]

RUNS = 3
# After a run as slow as this one no other follows.
SLOW_RUN_S = 30.0
TRIAL_WORDS = 60
# A chat template's own tokens, about.
TEMPLATE_TOKENS = 30
LEAST_WORDS = 8


def bench(
    pronk: Pronk,
    model: str,
    plan_options: Sequence[str] = (),
    on_event: OnEvent = lambda _: None,
    cancel: threading.Event | None = None,
) -> dict[str, Any]:
    """Return load_s, and medians of three answers: first_token_s, prefill_tokens_per_s, decode_tokens_per_s.

    prompt_tokens, answer_tokens: how long prompts and answers were; a prompt of about 512 tokens and an answer of 64
    (less where the context is smaller) are what the plan's expected speeds are about. expected: what the plan foretold.
    memory: resident_bytes of the engine's process, planned_bytes of main memory, and the plan's bytes of each device.
    Raises what keeps the model from being served, Cancelled when `cancel` is set.
    """
    _learn_speeds(pronk, model, plan_options)
    loading = _Loading(on_event)
    engine = start_engine(pronk, model, plan_options, loading.event)
    try:
        load_s = loading.wait()
        answers = _measured(EngineClient(engine.url, engine.api_key), engine, on_event, cancel)
        return {
            "load_s": load_s,
            **_medians(answers),
            "prompt_tokens": round(median(answer.usage["prompt_tokens"] for answer in answers)),
            "answer_tokens": round(median(answer.usage["completion_tokens"] for answer in answers)),
            "expected": dict(engine.plan["expected"]),
            "memory": _memory(engine),
        }
    finally:
        engine.close()


def _learn_speeds(pronk: Pronk, model: str, plan_options: Sequence[str]) -> None:
    """Measure what the plan's foretelling needs, as `pronk plan` does; a plan that is given foretold already."""
    from app.actions.devices import find_devices
    from app.actions.models import inspect_model
    from app.actions.rates import measure_missing

    if "--plan" in plan_options:
        return
    rpc = tuple(after for word, after in pairwise(plan_options) if word == "--rpc")
    measure_missing(pronk, inspect_model(pronk, model), find_devices(pronk, rpc=rpc), rpc)
    pronk.close()  # the helper that was asked; nothing but the engine runs while it is measured


class _Loading:
    def __init__(self, on_event: OnEvent) -> None:
        self._on_event = on_event
        self._over = threading.Event()
        self._last: Mapping[str, Any] = {}

    def event(self, event: Mapping[str, Any]) -> None:
        if event["event"] in ("loaded", "failed"):
            self._last = event
            self._over.set()
        elif event["event"] == "progress":
            self._on_event(event)

    def wait(self) -> float:
        while not self._over.wait(0.1):  # short waits let Ctrl+C through
            pass
        if self._last["event"] == "failed":
            raise from_event(self._last["kind"], self._last["message"], self._last.get("hint") or "")
        return float(self._last["load_s"])


def _measured(
    client: EngineClient, engine: Engine, on_event: OnEvent, cancel: threading.Event | None
) -> Sequence[Answer]:
    """Read and write a few times, once to warm up and to see how many tokens a word is."""
    trial = _ask(client, "trial", TRIAL_WORDS, 2, cancel)
    tokens_per_word = max(1, trial.usage["prompt_tokens"] - TEMPLATE_TOKENS) / TRIAL_WORDS
    room = int(engine.plan["context"]) - ANSWER_TOKENS
    n_tokens = min(PROMPT_TOKENS, room * 3 // 4) - TEMPLATE_TOKENS
    n_words = max(LEAST_WORDS, int(n_tokens / tokens_per_word))
    answers: list[Answer] = []
    for run in range(RUNS):
        on_event({"event": "progress", "phase": "measure", "done": run, "total": RUNS})
        start_s = time.perf_counter()
        answers.append(_ask(client, str(run), n_words, ANSWER_TOKENS, cancel))
        if time.perf_counter() - start_s > SLOW_RUN_S:
            break
    return answers


def _ask(client: EngineClient, run: str, n_words: int, max_tokens: int, cancel: threading.Event | None) -> Answer:
    """Measure one answer; each run begins with other words, so that nothing of the last prompt can be reused."""
    words = " ".join(f"{index % 997} apples" for index in range(n_words // 2))
    messages = [{"role": "user", "content": f"Run {run}. Tell a long story about {words}."}]
    answer = client.chat(messages, ChatOptions(max_tokens=max_tokens, temperature=0), cancel=cancel)
    if answer.finish_reason == "cancelled":
        raise Cancelled
    return answer


def _medians(answers: Sequence[Answer]) -> dict[str, float]:
    names = ("first_token_s", "prefill_tokens_per_s", "decode_tokens_per_s")
    return {name: median(float(answer.timings[name]) for answer in answers) for name in names}


def _memory(engine: Engine) -> dict[str, Any]:
    host = engine.plan["host"]
    return {
        "resident_bytes": psutil.Process(engine.engine_pid).memory_info().rss,
        "planned_bytes": host["weights_bytes"] + host["kv_bytes"] + host["compute_bytes"],
        "planned": [
            {name: device[name] for name in ("id", "weights_bytes", "kv_bytes", "compute_bytes")}
            for device in (*engine.plan["devices"], host)
        ],
    }
