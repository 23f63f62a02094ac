"""The virtual environment is filled once; pip is asked again only when something changed."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import environment
import project
import pytest
import wheel_cache
from console import SetupError
from environment import Environment, project_fingerprint
from wheel_key import BuildFacts

PYPROJECT = '[project]\nname = "x"\ndependencies = ["numpy"]\n[tool.ruff]\nline-length = 100\n'


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Environment:
    """A real virtual environment in a folder with a space and Chinese letters."""
    monkeypatch.setattr(project, "LOGS", tmp_path / "logs")
    made = Environment(tmp_path / "環境 env")
    made.create()
    return made


def test_pip_is_asked_once_and_again_when_a_package_went_missing(
    made: Environment, tmp_path: Path, facts: BuildFacts, tiny_source: Callable[..., str]
) -> None:
    wheel = wheel_cache.build(tmp_path / "wheels", facts, Path(sys.executable), tiny_source())
    arguments = ["--no-deps", "--no-index", wheel]
    assert made.install("tiny", "1", "tiny", arguments)
    done = subprocess.run([made.python, "-c", "import tiny; print(tiny.FLAGS)"], capture_output=True, text=True)
    assert done.stdout == "-DGGML_RPC=ON\n"
    assert not made.install("tiny", "1", "tiny", arguments)
    assert made.install("tiny", "2", "tiny", arguments)
    made.create()  # an environment that works is left alone
    assert made.has("tiny", "2")
    subprocess.run([made.python, "-m", "pip", "uninstall", "-q", "-y", "tiny"], check=True)
    assert not made.has("tiny", "2")
    with pytest.raises(SetupError, match="No matching distribution"):
        made.install("none", "1", "none", ["--no-index", "no-such-package"])
    assert not made.has("none", "1")


def test_broken_environment_is_made_again(made: Environment) -> None:
    made.python.unlink()
    made.create()
    assert subprocess.run([made.python, "-m", "pip", "--version"], capture_output=True).returncode == 0


@pytest.mark.parametrize("text", ["", "{", "[]", '{"steps": 3}'])
def test_damaged_record_counts_as_nothing_done(tmp_path: Path, text: str) -> None:
    (tmp_path / environment.STAMP).write_text(text)
    assert not Environment(tmp_path).has("app", "1")


def test_step_can_be_forgotten(tmp_path: Path) -> None:
    (tmp_path / environment.STAMP).write_text('{"steps": {"app": "1", "engine": "2"}, "installed": []}')
    place = Environment(tmp_path)
    place.forget("engine")
    assert place.has("app", "1")
    assert place.fingerprint("engine") == ""


def test_fingerprint_follows_what_pip_reads() -> None:
    first = project_fingerprint(PYPROJECT, "")
    assert project_fingerprint(PYPROJECT.replace("100", "110"), "") == first
    assert project_fingerprint(PYPROJECT.replace("numpy", "numpy>=2"), "") != first
    assert project_fingerprint(PYPROJECT, "test") != first
