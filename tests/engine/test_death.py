"""Whatever dies, nobody waits for ever, nobody stays behind."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import openai
import psutil
import pytest

from app.core.errors import BadFile, EngineFailed, NetworkError, UnsupportedModel
from app.core.paths import Home
from app.engine import supervisor
from app.engine.values import ChatOptions
from tests.support.counts import counted
from tests.support.engine import Running, running_engine
from tests.support.models import smollm2_gguf
from tests.support.waiting import wait_until

pytestmark = pytest.mark.native

STORY = [{"role": "user", "content": "Tell a very long story about a fox."}]
LONG = ChatOptions(max_tokens=900, temperature=1.5)


def streaming(running: Running) -> tuple[threading.Thread, list[Any], list[BaseException]]:
    """Start an answer on a thread; returns it once text arrives."""
    events: list[Any] = []
    errors: list[BaseException] = []

    def ask() -> None:
        try:
            running.client.chat(STORY, LONG, events.append)
        except Exception as error:  # noqa: BLE001 - it is the result
            errors.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    wait_until(lambda: len(events) > 2, 60, "text")
    return thread, events, errors


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_worker_dies_while_streaming(home: Home, plan_file: str, number: signal.Signals) -> None:
    with running_engine(home, smollm2_gguf(), "--plan", plan_file) as running:
        url, key, pid = running.engine.url, running.engine.api_key, running.engine.engine_pid
        thread, _, errors = streaming(running)
        os.kill(pid, number)
        thread.join(2)
        assert not thread.is_alive()
        assert isinstance(errors[0], EngineFailed)
        assert number.name in str(errors[0])
        assert number.name in running.wait_for("engine_died")["reason"]
        restarted = running.wait_for("restarted")
        assert restarted["engine_pid"] != pid
        assert restarted["plan"]["context"] == 1024
        assert (running.engine.url, running.engine.api_key, running.engine.state) == (url, key, "ready")
        assert running.client.chat(STORY, ChatOptions(max_tokens=3)).text


def test_stopped_worker_is_replaced(home: Home, plan_file: str) -> None:
    with running_engine(home, smollm2_gguf(), "--plan", plan_file) as running:
        pid = running.engine.engine_pid
        thread, _, errors = streaming(running)
        os.kill(pid, signal.SIGSTOP)
        thread.join(20)
        assert not thread.is_alive()
        assert isinstance(errors[0], EngineFailed)
        assert running.wait_for("restarted")["engine_pid"] != pid
        assert running.client.chat(STORY, ChatOptions(max_tokens=3)).text


def test_a_front_that_falls_silent_is_ended(home: Home, plan_file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "SILENCE_S", 3.0)
    with running_engine(home, smollm2_gguf(), "--plan", plan_file) as running:
        thread, _, errors = streaming(running)
        os.kill(running.engine.pid, signal.SIGSTOP)
        thread.join(20)
        assert not thread.is_alive()
        assert isinstance(errors[0], EngineFailed | NetworkError)
        assert "no sign of life" in running.wait_for("failed")["message"]
        assert "alive" not in running.kinds()


def test_three_crashes_stop_the_retries(home: Home, plan_file: str) -> None:
    with running_engine(home, smollm2_gguf(), "--plan", plan_file) as running:
        for crash in range(1, 4):
            os.kill(running.engine.engine_pid, signal.SIGKILL)
            running.wait_for("engine_died", crash)
            if crash < 3:
                running.wait_for("restarted", crash)
        failed = running.wait_for("failed")
        assert failed["kind"] == "engine"
        assert "3 times" in failed["message"]
        assert "--context" in failed["hint"]
        wait_until(lambda: not psutil.pid_exists(running.engine.pid), 5, "the front's end")
        assert running.engine.state == "failed"


def test_no_model_fails_before_ready(home: Home, tmp_path: Path) -> None:
    with (
        pytest.raises(BadFile, match=r"nothing\.gguf"),
        running_engine(home, tmp_path / "nothing.gguf", loaded=False),
    ):
        pass
    page = tmp_path / "page.gguf"
    page.write_text("<!DOCTYPE html><html>not found</html>")
    with pytest.raises(BadFile), running_engine(home, page, loaded=False):
        pass


def test_unknown_architecture_names_the_engine(home: Home, tmp_path: Path, plan_file: str) -> None:
    strange = tmp_path / "strange.gguf"
    data = smollm2_gguf().read_bytes()
    # The first "llama" is general.architecture's value; the same length keeps the header whole.
    strange.write_bytes(data.replace(b"llama", b"zlama"))
    try:
        with running_engine(home, strange, "--plan", plan_file, loaded=False) as running:
            failed = running.wait_for("failed")
            kind, message = failed["kind"], failed["message"]
    except UnsupportedModel as error:
        kind, message = error.kind, error.message
    assert kind == "unsupported_model"
    assert "zlama" in message
    assert "llama-cpp-python" in message


def test_truncated_model_is_refused(home: Home, tmp_path: Path, plan_file: str) -> None:
    short = tmp_path / "short.gguf"
    short.write_bytes(smollm2_gguf().read_bytes()[:50_000_000])
    with pytest.raises(BadFile), running_engine(home, short, "--plan", plan_file, loaded=False):
        pass


def test_model_below_spaces_and_chinese_letters(home: Home, plan_file: str) -> None:
    model = home.models / "模型 一 é.gguf"
    try:
        model.hardlink_to(smollm2_gguf())
    except OSError:
        model.write_bytes(smollm2_gguf().read_bytes())
    with running_engine(home, model, "--plan", plan_file) as running:
        assert running.client.models() == ["模型 一 é"]
        assert running.client.chat(STORY, ChatOptions(max_tokens=2)).text


def test_close_during_load_is_quick(home: Home, plan_file: str) -> None:
    with running_engine(home, smollm2_gguf(), "--plan", plan_file, loaded=False) as running:
        worker = psutil.Process(running.engine.engine_pid)
        started = time.monotonic()
        running.engine.close()
        assert time.monotonic() - started < 1
    wait_until(lambda: not _lives(worker), 2, "the worker's end")


def test_terminate_ends_cleanly(home: Home, plan_file: str) -> None:
    with running_engine(home, smollm2_gguf(), "--plan", plan_file) as running:
        thread, _, errors = streaming(running)
        front = psutil.Process(running.engine.pid)
        children = front.children(recursive=True)
        front.terminate()
        thread.join(3)
        assert not thread.is_alive()
        assert errors
        wait_until(lambda: not _lives(front), 4, "the front's end")
        wait_until(lambda: not any(map(_lives, children)), 2, "the children's end")
        assert running.engine._process.wait(2) == 0


PARENT = """
import json, sys, threading
from pathlib import Path
from app.actions.context import Pronk
from app.actions.engine import start_engine
from app.core.paths import Home
from app.engine.client import EngineClient
from app.engine import supervisor
from app.engine.values import ChatOptions
home, model, plan, phase = sys.argv[1:]
loaded = threading.Event()
def on_event(event):
    if event["event"] == "loaded":
        loaded.set()
engine = start_engine(Pronk(Home(Path(home))), Path(model), ("--plan", plan), on_event)
if phase == "load":
    print("now", flush=True)
    threading.Event().wait()
loaded.wait()
text = "Tell a long story." if phase == "stream" else " ".join(map(str, range(220)))
EngineClient(engine.url, engine.api_key).chat(
    [{"role": "user", "content": text}], ChatOptions(max_tokens=900, temperature=1.5),
    lambda event: print("now", flush=True))
"""


@pytest.mark.soak
@pytest.mark.parametrize("victim", ["window", "front"])
def test_no_orphan_however_it_ends(home: Home, plan_file: str, tmp_path: Path, victim: str) -> None:
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    for round_ in range(max(3, counted(50 if victim == "window" else 20))):
        phase = ("load", "prompt", "stream")[round_ % 3]
        command = [sys.executable, str(script), str(home.root), str(smollm2_gguf()), plan_file, phase]
        with subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=Path(__file__).parents[2],
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        ) as parent:
            assert parent.stdout is not None
            assert parent.stdout.readline() == b"now\n"
            window = psutil.Process(parent.pid)
            family = window.children(recursive=True)
            front = window.children()[0]
            started = time.monotonic()
            (window if victim == "window" else front).kill()
            left = [child for child in family if child.pid != front.pid]
            while any(map(_lives, left)) and time.monotonic() - started < 2:
                psutil.wait_procs(left, timeout=0.02)
            alive = [process for process in left if _lives(process)]
            for process in (*alive, window):
                process.kill()
            assert not alive, f"round {round_} ({phase}): {alive} lived {time.monotonic() - started:.1f} s"
        wait_until(lambda front=front: not _lives(front), 2, "the front's end")  # type: ignore[misc]


def _lives(process: psutil.Process) -> bool:
    """Tell whether a process runs; one that only waits to be buried by its parent does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_death_during_the_first_load_is_not_tried_again(home: Home, plan_file: str) -> None:
    with running_engine(home, smollm2_gguf(), "--plan", plan_file, loaded=False) as running:
        os.kill(running.engine.engine_pid, signal.SIGKILL)
        failed = running.wait_for("failed")
        assert failed["kind"] == "memory"
        assert "SIGKILL" in failed["message"]
        assert "restarted" not in running.kinds()


def test_requests_wait_while_the_model_loads(home: Home, plan_file: str) -> None:
    with running_engine(home, smollm2_gguf(), "--plan", plan_file, loaded=False) as running:
        assert running.client.health()["state"] in ("loading", "ready")
        assert running.client.chat(STORY, ChatOptions(max_tokens=2)).text
        assert running.client.health()["state"] == "ready"


def test_official_client_hears_of_a_death(home: Home, plan_file: str) -> None:
    with (
        running_engine(home, smollm2_gguf(), "--plan", plan_file) as running,
        openai.OpenAI(base_url=running.engine.url, api_key=running.engine.api_key, max_retries=0) as client,
        client.chat.completions.create(model="default", messages=STORY, max_tokens=900, stream=True) as stream,
    ):
        next(iter(stream))
        os.kill(running.engine.engine_pid, signal.SIGKILL)
        with pytest.raises(openai.APIError, match="SIGKILL"):
            list(stream)
        running.wait_for("restarted")
