"""The command line of set-up, as the Makefile calls it."""

import subprocess
import sys
from pathlib import Path

import commands
import project
import pytest

ROOT = Path(__file__).parent.parent.parent


def bootstrap(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    import os

    command = [sys.executable, "packaging/bootstrap", *arguments]
    environment = {**os.environ, **settings}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)


def test_place_of_the_wheel_is_told_without_building(tmp_path: Path) -> None:
    done = bootstrap("wheel", PRONK_WHEELS=str(tmp_path), XDG_CACHE_HOME=str(tmp_path / "empty"), PRONK_BACKEND="cpu")
    assert done.returncode == 0, done.stderr
    assert "llama-cpp-python-0.3.36-cpu-" in done.stdout


def test_unknown_backend_is_refused_in_one_line(tmp_path: Path) -> None:
    done = bootstrap("wheel", PRONK_WHEELS=str(tmp_path), PRONK_BACKEND="abacus")
    assert done.returncode == 1
    assert done.stderr == "PRONK_BACKEND=abacus is not known; use one of auto, cpu, cuda, vulkan, metal.\n"


def test_wrong_usage_exits_with_2() -> None:
    assert bootstrap("dance").returncode == 2


@pytest.mark.skipif(sys.platform != "linux", reason="sessions of Linux")
def test_display_is_what_the_session_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    assert not commands.has_display()
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-0")
    assert commands.has_display()


def test_hardware_loads_without_app_being_installed() -> None:
    assert isinstance(project.load_hardware().installed_gpus(), tuple)


def test_packaging_is_no_python_package() -> None:
    assert not (ROOT / "packaging" / "__init__.py").exists(), "it would hide PyPI's packaging"


def test_every_target_of_the_makefile_is_in_its_help() -> None:
    done = subprocess.run(["make", "-s", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    for name in ("run", "test", "lint", "check", "bench", "soak", "screenshots", "clean", "help"):
        assert f"make {name} " in done.stdout
