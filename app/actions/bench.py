"""Measuring how fast a model runs here, through the engine as everything else uses it."""

import threading
from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import Any

import psutil

from app.actions.context import Pronk
from app.actions.engine import start_engine
from app.core.errors import Cancelled, from_event
from app.engine.client import EngineClient
from app.engine.supervisor import Engine
from app.engine.values import Answer, ChatOptions

OnEvent = Callable[[Mapping[str, Any]], None]

PROMPT_WORDS = 100
ANSWER_TOKENS = 64
RUNS = 3


def bench(
    pronk: Pronk,
    model: str,
    plan_options: Sequence[str] = (),
    on_event: OnEvent = lambda _: None,
    cancel: threading.Event | None = None,
) -> dict[str, Any]:
    """Return load_s, first_token_s, prefill_tokens_per_s, decode_tokens_per_s (medians of three answers) and memory.

    memory: resident_bytes of the engine's process, and the plan's bytes of each device. Raises what keeps the model
    from being served, Cancelled when `cancel` is set.
    """
    loading = _Loading(on_event)
    engine = start_engine(pronk, model, plan_options, loading.event)
    try:
        load_s = loading.wait()
        client = EngineClient(engine.url, engine.api_key)
        answers = [_measure(client, run, on_event, cancel) for run in range(RUNS)]
        return {"load_s": load_s, **_medians(answers), "memory": _memory(engine)}
    finally:
        engine.close()


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


def _measure(client: EngineClient, run: int, on_event: OnEvent, cancel: threading.Event | None) -> Answer:
    """Measure one answer; each run begins with other words, so that nothing of the last prompt can be reused."""
    on_event({"event": "progress", "phase": "measure", "done": run, "total": RUNS})
    words = " ".join(f"{(run * PROMPT_WORDS + index) % 997} apples" for index in range(PROMPT_WORDS // 2))
    messages = [{"role": "user", "content": f"Run {run}. Tell a long story about {words}."}]
    answer = client.chat(messages, ChatOptions(max_tokens=ANSWER_TOKENS, temperature=0), cancel=cancel)
    if answer.finish_reason == "cancelled":
        raise Cancelled
    return answer


def _medians(answers: Sequence[Answer]) -> dict[str, float]:
    names = ("first_token_s", "prefill_tokens_per_s", "decode_tokens_per_s")
    return {name: median(float(answer.timings[name]) for answer in answers) for name in names}


def _memory(engine: Engine) -> dict[str, Any]:
    devices = [*engine.plan["devices"], engine.plan["host"]]
    return {
        "resident_bytes": psutil.Process(engine.engine_pid).memory_info().rss,
        "planned": [
            {name: device[name] for name in ("id", "weights_bytes", "kv_bytes", "compute_bytes")} for device in devices
        ],
    }
