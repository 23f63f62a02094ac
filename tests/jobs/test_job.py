"""Jobs and helpers, each with a real child."""

import sys
import threading
from pathlib import Path
from typing import Any

import psutil
import pytest

from app.core.errors import Cancelled, EngineFailed, NotEnoughDisk
from app.core.paths import Home
from app.jobs.helper import Helper
from app.jobs.job import Job, run_job
from tests.support.waiting import wait_until

CHILD = """
import sys, threading
from app.jobs.child import claim_stdout, watch_stdin, exit_now
from app.core.errors import NotEnoughDisk, Cancelled
emitter = claim_stdout()
cancelled = threading.Event()
watch_stdin(cancelled.set)
print("noise on stdout, as native code makes it", flush=True)
emitter.progress("work", 1, 2)
mode = sys.argv[1]
if mode == "done":
    emitter.done({"answer": "数据"})
elif mode == "environment":
    import os
    emitter.done(dict(os.environ))
elif mode == "fail":
    emitter.failed(NotEnoughDisk("No room.", "Free some."))
    sys.exit(1)
elif mode == "die":
    print("last words", file=sys.stderr, flush=True)
    import os; os.abort()
elif mode == "cancel":
    cancelled.wait()
    emitter.failed(Cancelled())
    sys.exit(130)
elif mode == "deaf":
    threading.Event().wait()
"""

HELPER = """
import os
from app.jobs.child import claim_stdout, serve_requests
from app.core.errors import BadFile
import threading
def fail(request): raise BadFile("Not a model.", "Take another.")
serve_requests({"double": lambda r: {"value": r["value"] * 2}, "fail": fail, "die": lambda r: os.abort(),
                "hang": lambda r: threading.Event().wait(), "bug": lambda r: r["missing"]}, claim_stdout())
"""


PARENT = """
import pathlib, sys, threading
from app.jobs.job import Job
job = Job([sys.executable, {child!r}, "deaf"], lambda event: print(job.pid, flush=True), pathlib.Path({log!r}))
threading.Event().wait()
"""


def start(tmp_path: Path, home: Home, mode: str, events: list[dict[str, Any]]) -> Job:
    script = tmp_path / "child.py"
    script.write_text(CHILD)
    return Job([sys.executable, str(script), mode], events.append, home.logs / "child.log")


def test_events_in_order_then_result(tmp_path: Path, home: Home) -> None:
    events: list[dict[str, Any]] = []
    assert start(tmp_path, home, "done", events).wait(10) == {"answer": "数据"}
    assert [event["phase"] for event in events] == ["work"]


def test_error_comes_back_as_its_type(tmp_path: Path, home: Home) -> None:
    with pytest.raises(NotEnoughDisk, match=r"No room\.") as caught:
        start(tmp_path, home, "fail", []).wait(10)
    assert caught.value.hint == "Free some."


def test_silent_death_is_explained(tmp_path: Path, home: Home) -> None:
    with pytest.raises(EngineFailed, match="signal 6") as caught:
        start(tmp_path, home, "die", []).wait(10)
    assert "last words" in caught.value.detail


def test_cancel(tmp_path: Path, home: Home) -> None:
    events: list[dict[str, Any]] = []
    job = start(tmp_path, home, "cancel", events)
    wait_until(lambda: bool(events))
    job.cancel()
    with pytest.raises(Cancelled):
        job.wait(2)


def test_cancel_kills_the_deaf(tmp_path: Path, home: Home) -> None:
    events: list[dict[str, Any]] = []
    job = start(tmp_path, home, "deaf", events)
    wait_until(lambda: bool(events))
    job.cancel()
    with pytest.raises(Cancelled):
        job.wait(6)


def test_run_job_cancelled_by_flag(tmp_path: Path, home: Home) -> None:
    script = tmp_path / "child.py"
    script.write_text(CHILD)
    flag = threading.Event()
    command = [sys.executable, str(script), "cancel"]
    with pytest.raises(Cancelled):
        run_job(command, lambda _: flag.set(), home.logs / "child.log", flag)


def test_helper_answers_fails_and_comes_back(tmp_path: Path, home: Home) -> None:
    script = tmp_path / "helper.py"
    script.write_text(HELPER)
    helper = Helper([sys.executable, str(script)], home.logs / "helper.log")
    try:
        assert helper.ask("double", 10, value=21) == {"value": 42}
        with pytest.raises(EngineFailed, match="signal 6"):
            helper.ask("die", 10)
        assert helper.ask("double", 10, value=4) == {"value": 8}
        with pytest.raises(EngineFailed, match="did not answer within"):
            helper.ask("hang", 0.2)
        with pytest.raises(Exception, match="Not a model"):
            helper.ask("fail", 10)
        with pytest.raises(Exception, match="KeyError"):
            helper.ask("bug", 10)
        assert helper.ask("double", 10, value=1) == {"value": 2}
    finally:
        helper.close()


def test_child_ends_with_its_parent(tmp_path: Path, home: Home) -> None:
    script = tmp_path / "child.py"
    script.write_text(CHILD)
    parent = tmp_path / "parent.py"
    parent.write_text(PARENT.format(child=str(script), log=str(home.logs / "child.log")))
    with psutil.Popen([sys.executable, str(parent)], stdout=-1) as process:
        child = psutil.Process(int(process.stdout.readline()))
        process.kill()
    wait_until(lambda: not child.is_running(), 2, "the child's end")


def test_a_job_without_secrets_sees_no_token(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = {
        "HF_TOKEN": "hf_1",
        "HUGGING_FACE_HUB_TOKEN": "hf_2",
        "OPENAI_API_KEY": "sk",
        "AWS_SECRET_ACCESS_KEY": "x",
    }
    for name, value in {**secrets, "TOKENIZERS_PARALLELISM": "false"}.items():
        monkeypatch.setenv(name, value)
    command = [sys.executable, "-c", CHILD, "environment"]
    seen = run_job(command, lambda event: None, home.logs / "job.log", secrets=False)
    assert not secrets.keys() & seen.keys()
    assert {"PATH", "TOKENIZERS_PARALLELISM"} <= seen.keys()
    assert run_job(command, lambda event: None, home.logs / "job.log")["HF_TOKEN"] == "hf_1"
