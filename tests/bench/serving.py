"""First token and decode speed of `pronk serve` against a bare llama_decode loop, interleaved."""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from app.core.paths import Home
from app.engine.client import EngineClient
from app.engine.values import ChatEvent, ChatOptions, TextArrived
from tests.bench.figures import Figure, interleaved
from tests.support.engine import running_engine
from tests.support.models import smollm2_gguf

PAIRS = 15
N_TOKENS = 128
STORY = "Tell a long story about a llama who learns to write programs. " * 12


def serving() -> list[Figure]:
    """The figures of both sides and their ratios; each prompt is new, so that no prefix is reused."""
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder) / "home").prepare()
        with running_engine(home, smollm2_gguf(), "--parallel", "1") as running:
            n_threads = int(running.engine.plan["n_threads"])
            ask(running.client, -1)
            mine, bare = interleaved(lambda i: ask(running.client, i), lambda i: bare_loop(i, n_threads), PAIRS)
    return [*_figures(0, "first token", "s", mine, bare), *_figures(1, "decode", "tok/s", mine, bare)]


def _figures(
    column: int, name: str, unit: str, mine: Sequence[Sequence[float]], bare: Sequence[Sequence[float]]
) -> tuple[Figure, Figure, Figure]:
    ours = tuple(row[column] for row in mine)
    peer = tuple(row[column] for row in bare)
    ratios = tuple(a / b for a, b in zip(ours, peer, strict=True))
    bounds = {"at_most": 1 / 0.93} if unit == "s" else {"at_least": 0.93}
    return (
        Figure(f"{name}, pronk serve", unit, ours),
        Figure(f"{name}, bare llama_decode loop", unit, peer),
        Figure(f"{name}, ratio", "×", ratios, **bounds),
    )


def _texts(i: int) -> tuple[str, str]:
    return f"{i + 2} is today's number. You are a patient narrator.", STORY


def ask(client: EngineClient, i: int) -> tuple[float, float]:
    """Return first_token_s and decode tokens/s of one streamed answer, on the client's clock."""
    system, user = _texts(i)
    arrivals: list[float] = []

    def note(event: ChatEvent) -> None:
        if isinstance(event, TextArrived):
            arrivals.append(time.perf_counter())

    start_s = time.perf_counter()
    messages = [{"role": "system", "content": system}, {"role": "user", "content": user}]
    answer = client.chat(messages, ChatOptions(max_tokens=N_TOKENS, temperature=0), note)
    n_tokens = int(answer.usage["completion_tokens"])
    return arrivals[0] - start_s, (n_tokens - 1) / (arrivals[-1] - arrivals[0])


def bare_loop(i: int, n_threads: int) -> tuple[float, float]:
    """Return the same two figures of the same tokens through a loop of llama_decode calls and nothing else."""
    system, user = _texts(i)
    prompt = f"<|im_start|>system\n{system}<|im_end|>\n<|im_start|>user\n{user}<|im_end|>\n<|im_start|>assistant\n"
    command = [sys.executable, "-m", "tests.support.bare_decode", str(smollm2_gguf()), "--json", "--prompt", prompt]
    command += ["--tokens", str(N_TOKENS), "--threads", str(n_threads)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    figures = json.loads(done.stdout)
    return figures["first_token_s"], figures["decode_tokens_per_s"]
