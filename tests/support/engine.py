"""A real engine for tests: front, worker and template child, serving a real model."""

import contextlib
import http.client
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from app.actions.context import Pronk
from app.actions.engine import start_engine
from app.core.paths import Home
from app.engine.client import EngineClient
from app.engine.supervisor import Engine
from tests.support.waiting import wait_until

LOAD_S = 60.0
"""Generous: the machine may be busy with other things."""


@dataclass
class Running:
    """A running engine and what it has told so far."""

    engine: Engine
    events: list[dict[str, Any]] = field(default_factory=list)

    @property
    def client(self) -> EngineClient:
        """A client of it."""
        return EngineClient(self.engine.url, self.engine.api_key)

    @property
    def authority(self) -> str:
        """HOST:PORT."""
        return urlsplit(self.engine.url).netloc

    def kinds(self) -> list[str]:
        """The kinds of the events so far."""
        return [event["event"] for event in self.events]

    def wait_for(self, kind: str, count: int = 1, timeout_s: float = LOAD_S) -> dict[str, Any]:
        """Wait for the `count`-th event of a kind and return it."""
        wait_until(lambda: self.kinds().count(kind) >= count, timeout_s, f"{count} × {kind} in {self.kinds()}")
        return [event for event in self.events if event["event"] == kind][count - 1]

    def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: dict[str, str | None] | None = None,
        raw: bytes | None = None,
    ) -> tuple[int, dict[str, Any]]:
        """Return status and document of one request; the key goes along unless `headers` say otherwise."""
        connection = http.client.HTTPConnection(self.authority, timeout=60)
        data = raw if raw is not None else None if body is None else json.dumps(body).encode()
        sent = {"Content-Type": "application/json", "Authorization": f"Bearer {self.engine.api_key}", **(headers or {})}
        try:
            connection.request(method, path, data, {name: value for name, value in sent.items() if value is not None})
            response = connection.getresponse()
            return response.status, json.loads(response.read() or b"{}")
        finally:
            connection.close()


def write_plan(folder: Path, context: int = 1024, parallel: int = 2, n_ubatch: int = 128) -> Path:
    """Write a plan for the processor with one thread: several tests may share the machine."""
    plan = {
        **{"n_gpu_layers": 0, "n_layers_total": 31, "context": context, "kv_type": "f16", "flash_attention": True},
        **{"n_batch": n_ubatch, "n_ubatch": n_ubatch, "n_outputs_max": parallel, "n_threads": 1, "parallel": parallel},
        **{"tensor_split": [], "tensor_overrides": [], "verdict": "cpu", "method": "analytic", "elapsed_ms": 0.0},
        "devices": [],
        "host": {
            "id": "CPU",
            **dict.fromkeys(("total_bytes", "free_bytes", "reserve_bytes"), 0),
            **dict.fromkeys(("weights_bytes", "kv_bytes", "compute_bytes"), 0),
        },
        "expected": {"prefill_tokens_per_s": 0.0, "decode_tokens_per_s": 0.0},
        "reasons": [],
        "alternatives": [],
    }
    file = folder / "plan.json"
    file.write_text(json.dumps(plan), encoding="utf-8")
    return file


@contextlib.contextmanager
def running_engine(home: Home, model: Path | str, *options: str, loaded: bool = True) -> Iterator[Running]:
    """Start an engine and end it with the block; `loaded` waits until the model is there."""
    events: list[dict[str, Any]] = []
    engine = start_engine(Pronk(home), model, options, lambda event: events.append(dict(event)))
    running = Running(engine, events)
    try:
        if loaded:
            running.wait_for("loaded")
        yield running
    finally:
        engine.close()
