"""pronk worker, and the commands that use what it lends."""

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import psutil
import pytest

from app.actions.context import Pronk
from app.actions.devices import find_devices
from app.actions.engine import start_engine
from app.core.errors import EngineFailed
from app.core.paths import Home
from app.engine.client import EngineClient
from app.engine.values import ChatOptions
from app.jobs.commands import pronk_command
from app.llama.rpc import greet
from tests.support.cli import pronk_json, run_pronk
from tests.support.lender import Lender, listening, silent
from tests.support.models import smollm2_gguf
from tests.support.waiting import wait_until

pytestmark = pytest.mark.native
GB = 10**9


@pytest.fixture
def pronk(home: Home) -> Iterator[Pronk]:
    context = Pronk(home)
    yield context
    context.close()


@pytest.fixture
def lender(home: Home) -> Iterator[Lender]:
    running = Lender(home.logs / "lender.log", "--memory", "3GB", "--threads", "1")
    yield running
    running.end()


def serving(lender: Lender) -> psutil.Process:
    """Return the child that holds the memory."""
    (child,) = psutil.Process(lender.job.pid).children()
    return child


def test_lends_within_its_limit_and_answers_a_prompt(lender: Lender, pronk: Pronk) -> None:
    ready = lender.wait_for("ready")
    (lent,) = ready["devices"]
    assert lent["total_bytes"] == 3 * GB
    assert 0 < lent["free_bytes"] <= 3 * GB
    assert "neither encrypted nor authenticated" in ready["warning"]
    assert greet(lender.endpoint) == (7, 0, 0)

    # All layers are asked for: left to itself a plan leaves out a lender that is slower than this computer.
    words = ("--context", "1024", "--gpu-layers", "31", "--rpc", lender.endpoint)
    plan = pronk_json("plan", str(smollm2_gguf()), *words)
    assert [(device["id"], device["total_bytes"]) for device in plan["devices"]] == [("RPC0", 3 * GB)]
    assert plan["n_gpu_layers"] == plan["n_layers_total"]
    assert any("neither encrypted nor authenticated" in note for note in plan["notes"])

    before = serving(lender).memory_info().rss
    loaded: list[str] = []
    engine = start_engine(pronk, str(smollm2_gguf()), words, lambda event: loaded.append(event["event"]))
    try:
        wait_until(lambda: "loaded" in loaded or "failed" in loaded, 60, "the model on lent memory")
        assert serving(lender).memory_info().rss - before > plan["devices"][0]["weights_bytes"] * 0.9
        client = EngineClient(engine.url, engine.api_key)
        answer = client.chat([{"role": "user", "content": "Say hello."}], ChatOptions(max_tokens=8))
        assert answer.text.strip()
    finally:
        engine.close()
    assert greet(lender.endpoint)  # it serves the next one


def test_server_that_dies_is_started_again_but_not_for_ever(lender: Lender) -> None:
    endpoint = lender.endpoint
    for round_ in (1, 2, 3):
        serving(lender).kill()
        lender.wait_for("worker_died", round_)
        if round_ < 3:
            assert lender.wait_for("restarted", round_)["endpoint"] == endpoint
            greet(endpoint)
    with pytest.raises(EngineFailed, match="died 3 times"):
        lender.job.wait(20)


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGTERM")
def test_sigterm_ends_it_cleanly(home: Home) -> None:
    words = pronk_command("worker", "--events", "--port", "0")
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout
        assert json.loads(process.stdout.readline())["event"] == "ready"
        (child,) = psutil.Process(process.pid).children()
        process.send_signal(signal.SIGTERM)
        assert json.loads(process.stdout.readline()) == {"event": "done", "result": {}}
        assert process.wait(10) == 0
    assert not child.is_running()


def test_port_in_use_and_foreign_address_are_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = run_pronk("worker", "--port", str(taken.getsockname()[1]))
    assert done.returncode == 1
    assert "is taken" in done.stderr
    assert "Choose another with --port." in done.stderr
    assert "Only programs on this computer can connect" in done.stderr
    done = run_pronk("worker", "--host", "192.0.2.1", "--events")
    assert done.returncode == 1
    assert json.loads(done.stdout.splitlines()[-1])["kind"] == "bad_request"
    assert "never to the internet" in done.stderr


def test_memory_that_holds_no_model_is_not_lent() -> None:
    refused = run_pronk("worker", "--memory", "8")
    assert refused.returncode == 1
    assert "--memory 8: 8 B is too little to lend" in refused.stderr
    assert "8GB" in refused.stderr


def test_endpoint_that_hangs_costs_a_note_in_time(pronk: Pronk) -> None:
    start_s = time.monotonic()
    with listening(silent) as endpoint:
        devices = find_devices(pronk, rpc=(endpoint,))
    assert time.monotonic() - start_s < 10
    assert devices.gpus == ()
    assert devices.backends
    assert any(f"The computer at {endpoint} takes the connection but does not answer" in n for n in devices.notes)


def test_lender_that_dies_in_between_costs_an_error_in_time(lender: Lender, pronk: Pronk) -> None:
    helper = pronk.helper_for("--rpc", lender.endpoint)
    assert [gpu["id"] for gpu in helper.ask("probe", 20)["gpus"]] == ["RPC0"]
    lender.end()
    start_s = time.monotonic()
    with pytest.raises(EngineFailed, match="crashed"):
        helper.ask("probe", 20)
    answer = helper.ask("probe", 20)  # a new one
    assert time.monotonic() - start_s < 10
    helper.close()
    assert answer["gpus"] == []
    assert any("does not answer" in note for note in answer["notes"])
