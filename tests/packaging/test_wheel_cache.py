"""Wheels are built once by real pip, kept whole, and found again."""

import functools
import http.server
import os
import signal
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
import wheel_cache
from console import SetupError
from wheel_key import BuildFacts

from tests.support.waiting import wait_until

PYTHON = Path(sys.executable)
BUILD_IN_CHILD = """
import sys, signal, pathlib
sys.path.insert(0, {scripts!r})
import commands, wheel_cache, wheel_key
signal.signal(signal.SIGTERM, commands._interrupt)
facts = wheel_key.from_json(sys.stdin.read())
wheel_cache.build(pathlib.Path({folder!r}), facts, pathlib.Path(sys.executable), {source!r})
"""
SCRIPTS = Path(wheel_cache.__file__).parent

TinySource = Callable[..., str]
Builds = Callable[[], list[str]]


def test_second_set_up_takes_the_kept_wheel(
    tmp_path: Path, facts: BuildFacts, tiny_source: TinySource, builds: Builds
) -> None:
    folder = tmp_path / "wheels 轮子"
    assert wheel_cache.find([folder], facts) is None
    built = wheel_cache.build(folder, facts, PYTHON, tiny_source())
    assert zipfile.is_zipfile(built)
    assert wheel_cache.find([folder], facts) == built
    assert wheel_cache.build(folder, facts, PYTHON, tiny_source()) == built
    assert wheel_cache.facts_of(built) == facts
    assert builds() == ["-DGGML_RPC=ON"]


@pytest.fixture
def package_server(tmp_path: Path) -> Iterator[str]:
    """Serve the test's folder by HTTP: pip caches what it built from there, as it does with PyPI's archives."""
    handler = functools.partial(QuietHandler, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Keep the test's output clean."""


def test_other_flags_are_another_build_although_pip_knows_the_package(
    tmp_path: Path, facts: BuildFacts, tiny_source: TinySource, builds: Builds, package_server: str
) -> None:
    source = f"tiny @ {package_server}/{Path(tiny_source()).name}"
    vulkan = replace(facts, backend="vulkan", cmake_flags=("-DGGML_RPC=ON", "-DGGML_VULKAN=ON"))
    first = wheel_cache.build(tmp_path, facts, PYTHON, source)
    second = wheel_cache.build(tmp_path, vulkan, PYTHON, source)
    assert first != second
    assert b"GGML_VULKAN" in zipfile.ZipFile(second).read("tiny.py")
    assert builds() == ["-DGGML_RPC=ON", "-DGGML_RPC=ON -DGGML_VULKAN=ON"]


def test_machine_without_compiler_takes_a_kept_wheel(
    tmp_path: Path, facts: BuildFacts, tiny_source: TinySource
) -> None:
    built = wheel_cache.build(tmp_path, facts, PYTHON, tiny_source())
    assert wheel_cache.find([tmp_path], replace(facts, compiler="")) == built
    assert wheel_cache.find([tmp_path], replace(facts, compiler="", cpu_features=("avx",))) is None


def test_failing_build_shows_its_cause_and_keeps_nothing(
    tmp_path: Path, facts: BuildFacts, tiny_source: TinySource
) -> None:
    noise = "print('\\n'.join(f'[{n}/400] Building CXX object ggml-{n}.o' for n in range(400)), flush=True)"
    error = "print('ggml.cpp:12:3: error: frobnicate was not declared', flush=True); sys.exit(1)"
    with pytest.raises(SetupError) as failure:
        wheel_cache.build(tmp_path / "wheels", facts, PYTHON, tiny_source(f"{noise}; {error}"))
    lines = str(failure.value).splitlines()
    assert "ggml.cpp:12:3: error: frobnicate was not declared" in lines[1]
    assert len(lines) <= 18
    log = Path(lines[-1].removeprefix("Full log: "))
    assert "[399/400]" in log.read_text()
    assert wheel_cache.find([tmp_path / "wheels"], facts) is None
    assert not list((tmp_path / "wheels").glob("*.building"))


def test_failed_build_can_be_built_again(tmp_path: Path, facts: BuildFacts, tiny_source: TinySource) -> None:
    with pytest.raises(SetupError, match="error: first"):
        wheel_cache.build(tmp_path / "w", facts, PYTHON, tiny_source("print('x.cpp:1: error: first'); sys.exit(1)"))
    assert wheel_cache.build(tmp_path / "w", facts, PYTHON, tiny_source()).is_file()


def test_two_set_ups_at_once_build_once(
    tmp_path: Path, facts: BuildFacts, tiny_source: TinySource, builds: Builds
) -> None:
    source = tiny_source("time.sleep(0.3)")
    found: list[Path] = []
    threads = [
        threading.Thread(target=lambda: found.append(wheel_cache.build(tmp_path, facts, PYTHON, source)))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 2
    assert found[0] == found[1]
    assert len(builds()) == 1


@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_stopped_build_leaves_no_half_wheel(
    tmp_path: Path, facts: BuildFacts, tiny_source: TinySource, builds: Builds, ending: signal.Signals
) -> None:
    import wheel_key

    folder = tmp_path / "wheels"
    # The compiler that is still at work when set-up is killed outlives it by a moment, as a real one would.
    source = tiny_source(f"time.sleep({2 if ending == signal.SIGKILL else 60})")
    script = BUILD_IN_CHILD.format(scripts=str(SCRIPTS), folder=str(folder), source=source)
    child = subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert child.stdin is not None
    with child.stdin as pipe:
        pipe.write(wheel_key.to_json(facts))
    builder_pid = tmp_path / "builds.pid"
    wait_until(lambda: builder_pid.exists() and builder_pid.read_text() != "", 30, "start of the build")
    child.send_signal(ending)
    child.wait(20)
    assert child.returncode != 0
    assert wheel_cache.find([folder], facts) is None
    if ending != signal.SIGKILL:
        assert not list(folder.glob("*.building"))
        wait_until(lambda: not psutil.pid_exists(int(builder_pid.read_text())), 10, "end of the compiler")
    assert wheel_cache.build(folder, facts, PYTHON, tiny_source()).is_file()
    assert not list(folder.glob("*.building"))


def test_wheel_built_elsewhere_can_be_kept(tmp_path: Path, facts: BuildFacts, tiny_source: TinySource) -> None:
    built = wheel_cache.build(tmp_path / "one", facts, PYTHON, tiny_source())
    kept = wheel_cache.keep(wheel_cache.writable([tmp_path / "two"]), facts, built)
    assert wheel_cache.find([tmp_path / "two"], facts) == kept
    assert kept.read_bytes() == built.read_bytes()


def test_folders_in_their_order(tmp_path: Path) -> None:
    home, repository = tmp_path / "home", tmp_path / "pronk"
    plain = wheel_cache.candidates({}, home, repository)
    assert plain == [home / ".cache/pronk/wheels", repository / ".cache/wheels"]
    named = {"PRONK_WHEELS": str(tmp_path / "own"), "XDG_CACHE_HOME": str(tmp_path / "xdg")}
    first, second, _ = wheel_cache.candidates(named, home, repository)
    assert (first, second) == (tmp_path / "own", tmp_path / "xdg/pronk/wheels")


def test_read_only_home_falls_back_to_the_repository(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.write_text("no folder can be made in here, not even by root")
    folders = wheel_cache.candidates({}, home, tmp_path / "pronk")
    assert wheel_cache.writable(folders) == tmp_path / "pronk/.cache/wheels"
    with pytest.raises(SetupError, match="PRONK_WHEELS"):
        wheel_cache.writable(folders[:1])


@pytest.mark.parametrize(("memory", "cores", "expected"), [(16e9, 8, 8), (4e9, 8, 2), (5e8, 4, 1)])
def test_memory_bounds_the_compilers(memory: float, cores: int, expected: int) -> None:
    assert wheel_cache.parallel_compilers(int(memory), cores) == expected
