"""chat, serve and bench as a user runs them."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from app.core.paths import Home
from app.engine.client import EngineClient
from app.engine.values import ChatOptions
from tests.support.cli import pronk_json, run_pronk
from tests.support.models import smollm2_gguf

pytestmark = pytest.mark.native

MODEL = str(smollm2_gguf())


def test_chat_once_as_json(home: Home, plan_file: str) -> None:
    answer = pronk_json(
        *("chat", MODEL, "--plan", plan_file, "--prompt", "Say hello.", "--max-tokens", "5", "--temperature", "0")
    )
    assert set(answer) == {"text", "reasoning", "finish_reason", "usage", "timings"}
    assert answer["finish_reason"] == "length"
    assert answer["usage"]["completion_tokens"] == 5


def test_chat_in_the_terminal(home: Home, plan_file: str) -> None:
    done = run_pronk(
        *("chat", MODEL, "--plan", plan_file, "--max-tokens", "8", "--temperature", "0"), stdin="Hi\n/new\n/help\n"
    )
    assert done.returncode == 0, done.stderr
    assert "[cut" in done.stdout
    assert "A new conversation." in done.stdout
    assert done.stdout.count("/new begins") == 2


def test_chat_with_a_planned_context(home: Home) -> None:
    answer = pronk_json("chat", MODEL, "--context", "4096", "--prompt", "Hi", "--max-tokens", "2")
    assert answer["text"]


def test_chat_needs_a_prompt_for_json(home: Home) -> None:
    done = run_pronk("chat", MODEL, "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["error"]["kind"] == "bad_request"


def test_chat_without_a_model(home: Home) -> None:
    done = run_pronk("chat", "nothing-here", "--prompt", "Hi", "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["error"]["kind"] == "bad_file"
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited with ulimit")
def test_a_context_that_fits_nowhere_is_a_memory_error(home: Home, plan_file: str) -> None:
    plan = json.loads(Path(plan_file).read_text())
    Path(plan_file).write_text(json.dumps({**plan, "context": 1_000_000}))  # 23 GB, where 8 are allowed
    command = [sys.executable, "-P", "-m", "app", "chat", MODEL, "--plan", plan_file, "--prompt", "Hi", "--json"]
    limited = ["sh", "-c", 'ulimit -v 8000000; exec "$@"', "sh", *command]
    done = subprocess.run(limited, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL, check=False)
    assert done.returncode == 1
    error = json.loads(done.stdout)["error"]
    assert error["kind"] == "memory", error
    assert "1,000,000 tokens" in error["message"]
    assert "context" in error["hint"]


def test_busy_port(home: Home, plan_file: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = run_pronk("serve", MODEL, "--plan", plan_file, "--port", str(port), "--events")
    assert done.returncode == 1
    last = json.loads(done.stdout.splitlines()[-1])
    assert (last["event"], last["kind"]) == ("failed", "busy")
    assert str(port) in last["message"]


@pytest.mark.parametrize("way", ["option", "file", "environment"])
def test_serve_with_a_key_of_ones_own(home: Home, plan_file: str, tmp_path: Path, way: str) -> None:
    key_file = tmp_path / "key"
    key_file.write_text("my-key\n")
    words = {"option": ["--api-key", "my-key"], "file": ["--api-key-file", str(key_file)], "environment": []}[way]
    environment = {**os.environ, "PRONK_API_KEY": "my-key"} if way == "environment" else None
    command = [sys.executable, "-P", "-m", "app", "serve", MODEL, "--plan", plan_file, *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as server:
        assert server.stdout is not None
        url = server.stdout.readline().split()[1]
        assert server.stdout.readline().split()[2] == "my-key"
        client = EngineClient(url, "my-key")
        assert client.chat([{"role": "user", "content": "Hi"}], ChatOptions(max_tokens=2)).text
        server.send_signal(signal.SIGINT)
        assert server.wait(5) == 0


def test_bad_key_is_refused(home: Home, plan_file: str) -> None:
    done = run_pronk("serve", MODEL, "--plan", plan_file, "--api-key", "no spaces please", "--events")
    assert done.returncode == 1
    assert json.loads(done.stdout.splitlines()[-1])["kind"] == "bad_request"


def test_bench(home: Home, plan_file: str) -> None:
    result = pronk_json("bench", MODEL, "--plan", plan_file)
    speeds = {"prefill_tokens_per_s", "decode_tokens_per_s"}
    assert set(result) == {"load_s", "first_token_s", "prompt_tokens", "answer_tokens", "expected", "memory"} | speeds
    assert set(result["expected"]) >= speeds
    assert result["prompt_tokens"] == pytest.approx(512, rel=0.2)
    assert result["answer_tokens"] == 64
    assert result["memory"]["resident_bytes"] > 90_000_000
    assert result["decode_tokens_per_s"] > 0
