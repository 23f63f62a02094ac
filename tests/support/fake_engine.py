"""A stand-in for `pronk serve --events --watch-stdin`: the real protocol on a real socket, without a model.

Run as a child: `python tests/support/fake_engine.py --mode crash --text FILE`. Modes: normal; slow (20 tokens a
second); hold (half the answer, then silence until the client leaves); crash (the first answer breaks off in the middle,
the engine dies and comes back); no-memory (fails to load); less-memory (loads with a smaller plan than it told
first); spilled (is slower than foretold).
"""

import argparse
import hashlib
import hmac
import json
import os
import re
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from app.actions.context import Pronk
from app.engine.supervisor import Engine

KEY = "fake-key"
LESS_MEMORY = (
    "The model did not fit: the model is loaded again, on the processor alone, with a context of 4,096 tokens."
)
DEFAULT_TEXT = "Llamas are calm. They **hum** when they are content.\n\n```python\nprint('hum')\n```\n\nThat is all."
PLAN = {
    "n_gpu_layers": 0,
    "n_layers_total": 31,
    "context": 8192,
    "kv_type": "f16",
    "flash_attention": True,
    "n_batch": 512,
    "n_ubatch": 512,
    "n_outputs_max": 1,
    "n_threads": 2,
    "parallel": 1,
    "tensor_split": [],
    "tensor_overrides": [],
    "elapsed_ms": 12.5,
    "verdict": "cpu",
    "method": "dry_run",
    "devices": [],
    "host": {
        "id": "CPU",
        "total_bytes": 16_000_000_000,
        "free_bytes": 11_000_000_000,
        "reserve_bytes": 1_600_000_000,
        "weights_bytes": 98_000_000,
        "kv_bytes": 188_743_680,
        "compute_bytes": 104_000_000,
    },
    "expected": {"prefill_tokens_per_s": 900.0, "decode_tokens_per_s": 120.0},
    "reasons": ["No GPU that this build can use: all 31 layers run on the processor."],
    "alternatives": [],
}


def fake_starter(
    mode: str = "normal", text: Path | None = None, tokens_per_s: float = 0, plan: Path | None = None
) -> Callable[..., Engine]:
    """Return what Ports.start_engine asks for, with this script behind it."""
    command = [sys.executable, "-P", __file__, "--mode", mode, "--rate", str(tokens_per_s)]
    if text is not None:
        command += ["--text", str(text)]
    if plan is not None:
        command += ["--plan", str(plan)]

    def start(pronk: Pronk, path: Path, options: Sequence[str], on_event: Callable[..., None]) -> Engine:
        engine = Engine([*command, *(["--forced"] if "--force" in options else [])], pronk.log("fake"), on_event)
        engine.wait_ready()
        return engine

    return start


def used_bytes(device: Mapping[str, Any]) -> int:
    """Return what a plan puts on a device."""
    return sum(int(device[f"{part}_bytes"]) for part in ("weights", "kv", "compute"))


class FakeEngine:
    """Answers chat requests and tells its parent what happens to it."""

    def __init__(self, mode: str, text: str, tokens_per_s: float, plan: Mapping[str, Any]) -> None:
        self.mode = mode
        self.plan = plan
        self.tokens = re.findall(r"\s*\S+|\s+", text)
        self.pause_s = 1 / tokens_per_s if tokens_per_s else 0.0
        self.crashed = False
        self._lock = threading.Lock()

    def emit(self, event: Mapping[str, Any]) -> None:
        """Write one event line."""
        with self._lock:
            sys.stdout.write(json.dumps(event) + "\n")
            sys.stdout.flush()

    def answer(self, send: Callable[[Mapping[str, Any]], None]) -> None:
        """Stream one answer; raises OSError when the client has left."""
        began_s = time.perf_counter()
        send({"choices": [], "prompt_progress": {"done_tokens": 6, "total_tokens": 12}})
        half = len(self.tokens) // 2
        for index, token in enumerate(self.tokens):
            if index == half and self.mode == "hold":
                self.hold(send)
            if index == half and self.mode == "crash" and not self.crashed:
                self.crash(send)
                return
            send({"choices": [{"index": 0, "delta": {"content": token}, "finish_reason": None}]})
            if self.pause_s:
                time.sleep(self.pause_s)
        elapsed_s = time.perf_counter() - began_s
        send(
            {
                "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}],
                "usage": {"prompt_tokens": 12, "completion_tokens": len(self.tokens)},
                "timings": {"first_token_s": 0.21, "decode_tokens_per_s": len(self.tokens) / max(elapsed_s, 1e-6)},
            }
        )

    def hold(self, send: Callable[[Mapping[str, Any]], None]) -> None:
        """Say nothing new until the client leaves, which makes send raise."""
        while True:
            send({"choices": []})
            time.sleep(0.01)

    def crash(self, send: Callable[[Mapping[str, Any]], None]) -> None:
        """Die in the middle of an answer and come back."""
        self.crashed = True
        reason = "signal 11 (SIGSEGV)"
        self.emit({"event": "engine_died", "reason": reason})
        send({"error": {"message": f"The engine stopped ({reason}).", "code": "engine", "hint": "Ask again."}})
        threading.Timer(
            0.2, lambda: self.emit({"event": "restarted", "engine_pid": os.getpid(), "plan": self.plan})
        ).start()


class Handler(BaseHTTPRequestHandler):
    """The HTTP side."""

    engine: FakeEngine

    def do_GET(self) -> None:
        nonce = parse_qs(urlsplit(self.path).query).get("nonce", [""])[0]
        self._document({"status": "ok", "proof": hmac.new(KEY.encode(), nonce.encode(), hashlib.sha256).hexdigest()})

    def do_POST(self) -> None:
        if self.headers.get("Authorization") != f"Bearer {KEY}":
            self.send_error(401)
            return
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        try:
            self.engine.answer(self._send)
            self.wfile.write(b"data: [DONE]\n\n")
        except OSError:
            return

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def _send(self, document: Mapping[str, Any]) -> None:
        self.wfile.write(b"data: " + json.dumps(document).encode() + b"\n\n")
        self.wfile.flush()

    def _document(self, document: Mapping[str, Any]) -> None:
        body = json.dumps(document).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--mode", default="normal")
    parser.add_argument("--text", type=Path)
    parser.add_argument("--plan", type=Path)
    parser.add_argument("--rate", type=float, default=0)
    parser.add_argument("--forced", action="store_true")
    arguments = parser.parse_args()
    text = arguments.text.read_text(encoding="utf-8") if arguments.text else DEFAULT_TEXT
    plan = json.loads(arguments.plan.read_text(encoding="utf-8")) if arguments.plan else PLAN
    engine = FakeEngine(arguments.mode, text, 20 if arguments.mode == "slow" else arguments.rate, plan)
    if arguments.mode == "no-memory" and not arguments.forced:
        message = "The model needs 6.1 GB; 4.0 GB are free."
        engine.emit({"event": "failed", "kind": "memory", "message": message, "hint": "Use a smaller context."})
        sys.exit(1)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"engine": engine}))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/v1"
    engine.emit({"event": "ready", "url": url, "api_key": KEY, "engine_pid": os.getpid(), "plan": plan})
    engine.emit({"event": "progress", "phase": "load", "done_bytes": 50, "total_bytes": 100})
    if arguments.mode == "less-memory":
        smaller = {**plan, "context": 4096}
        engine.emit({"event": "replanned", "reason": LESS_MEMORY, "engine_pid": os.getpid(), "plan": smaller})
        engine.emit({"event": "something_of_a_later_version", "plan": 7})
    measured = {device["id"]: used_bytes(device) for device in (*plan["devices"], plan["host"])}
    engine.emit({"event": "loaded", "load_s": 0.1, "measured": measured, "taken": {"CPU": 400_000_000}})
    if arguments.mode == "spilled":
        engine.emit({"event": "slow", "reason": "The model writes 3.0 tokens/s where more were foretold."})
    for _ in sys.stdin:
        pass
    os._exit(0)


if __name__ == "__main__":
    main()
