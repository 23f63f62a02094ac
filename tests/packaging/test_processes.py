"""Programs run to their end with their output in a log, whatever holds their pipes."""

import sys
import time
from pathlib import Path

import psutil
import pytest
from console import SetupError
from processes import child_environment, run_logged

LEAVES_A_GRANDCHILD = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print(child.pid, flush=True)
"""


def test_output_goes_to_the_log(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "a.log"
    run_logged("printing", [sys.executable, "-c", "print('你好'); import os; print(os.environ['X'])"], log, {"X": "1"})
    assert log.read_text(encoding="utf-8").split() == ["你好", "1"]


def test_failure_names_what_failed(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match=r"^counting failed:\n    ValueError: three"):
        run_logged("counting", [sys.executable, "-c", "raise ValueError('three')"], tmp_path / "a.log")


def test_grandchild_that_holds_the_pipe_is_not_waited_for(tmp_path: Path) -> None:
    started = time.monotonic()
    run_logged("leaving", [sys.executable, "-c", LEAVES_A_GRANDCHILD], tmp_path / "a.log")
    assert time.monotonic() - started < 20
    psutil.Process(int((tmp_path / "a.log").read_text())).kill()


def test_settings_that_mislead_pip_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1")
    assert not {"PYTHONPATH", "SOURCE_DATE_EPOCH"} & set(child_environment())
