"""A conversion that is stopped, killed or out of room: no half-written file in view, nothing left behind."""

import hashlib
import json
import os
import random
import resource
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice, product
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.checkpoints import tiny_checkpoint
from tests.support.convert_child import events, run, start
from tests.support.counts import counted
from tests.support.waiting import wait_until

pytestmark = pytest.mark.native
SLOW_TYPES = ("--type", "Q2_K", "--type", "Q4_K_M", "--type", "Q5_K_M", "--threads", "1")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """30 million weights: some six seconds of work for one thread."""
    folder = tmp_path_factory.mktemp("slow") / "slow"
    return tiny_checkpoint(folder, hidden_size=1024, intermediate_size=4096, num_hidden_layers=2, num_attention_heads=8)


@contextmanager
def converting(checkpoint: Path, out: Path, until_phase: str) -> Iterator["subprocess.Popen[str]"]:
    """Start a conversion and wait until it is in a phase, and has done something if that is quantize."""
    with start("convert", checkpoint, *SLOW_TYPES, "--output", out, "--events", "--watch-stdin") as child:
        assert child.stdout is not None
        while f'"{until_phase}"' not in (line := child.stdout.readline()) or '"quantize", "done_bytes": 0,' in line:
            assert line, child.stderr.read() if child.stderr else ""
        yield child
        child.kill()


def say_cancel(child: "subprocess.Popen[str]") -> None:
    assert child.stdin is not None
    child.stdin.write("cancel\n")
    child.stdin.flush()


def close_stdin(child: "subprocess.Popen[str]") -> None:
    assert child.stdin is not None
    child.stdin.close()
    child.stdin = None


def interrupt(child: "subprocess.Popen[str]") -> None:
    child.send_signal(signal.SIGINT)


def terminate(child: "subprocess.Popen[str]") -> None:
    child.send_signal(signal.SIGTERM)


STOPS = (say_cancel, close_stdin, interrupt, terminate)


@pytest.mark.parametrize(("phase", "stop"), [*product(("read", "quantize"), STOPS), ("check", say_cancel)])
def test_a_stop_ends_it_within_a_second(
    checkpoint: Path, tmp_path: Path, phase: str, stop: Callable[["subprocess.Popen[str]"], None]
) -> None:
    with converting(checkpoint, tmp_path, phase) as child:
        began = time.monotonic()
        stop(child)
        child.wait(timeout=10)
        elapsed_s = time.monotonic() - began
        assert child.stdout is not None
        last = events(child.stdout.read())[-1]
    assert elapsed_s < 1.0
    assert child.returncode == 130
    assert (last["event"], last["kind"]) == ("failed", "cancelled")
    left = {path.name.rpartition(".")[2] for path in tmp_path.iterdir()}
    assert left == (set() if phase == "read" else {"part", "journal"})


def test_kill_leaves_no_file_in_view_and_the_next_run_succeeds(checkpoint: Path, tmp_path: Path) -> None:
    target = tmp_path / "slow-Q2_K.gguf"
    target.write_text("precious", encoding="utf-8")
    with converting(checkpoint, tmp_path, "quantize") as child:
        child.kill()
        child.wait(timeout=10)
    left = sorted(path.name for path in tmp_path.iterdir())
    assert [name for name in left if name.endswith(".gguf")] == [target.name]
    assert target.read_text(encoding="utf-8") == "precious"
    done = run("convert", checkpoint, "--type", "Q2_K", "--output", tmp_path)
    assert done.returncode == 0, done.stderr
    assert target.stat().st_size > 1_000_000


def quantized_bytes(lines: Iterable[str]) -> Iterator[int]:
    """Give the bytes that are done, of each progress event of the pass over the weights."""
    for line in lines:
        event = json.loads(line)
        if event.get("phase") == "quantize":
            yield event["done_bytes"]


def kill_after(checkpoint: Path, out: Path, n_events: int) -> tuple[int, int]:
    """Start or resume a conversion and kill it after some events; gives the bytes done at its start and at its end."""
    with start("convert", checkpoint, *SLOW_TYPES, "--output", out, "--events") as child:
        assert child.stdout is not None
        lines = list(islice(child.stdout, n_events))
        child.kill()
        lines += [line for line in child.stdout.read().splitlines() if line.endswith("}")]
        seen = list(quantized_bytes(lines))
        return (seen[0], seen[-1]) if seen else (0, 0)


@pytest.mark.soak
def test_kills_at_any_moment_cost_no_finished_work(checkpoint: Path, tmp_path: Path) -> None:
    """Each run goes on where the killed one was, no half-written file is in view, and the bytes are a fresh run's."""
    chance = random.Random(20261122)
    fresh = run("convert", checkpoint, *SLOW_TYPES, "--output", tmp_path / "fresh", "--json")
    digests = [file["sha256"] for file in json.loads(fresh.stdout)["files"]]
    out = tmp_path / "out"
    out.mkdir()
    done_bytes = 0
    for _ in range(counted(50)):
        for name in ("slow-Q2_K.gguf", "slow-Q4_K_M.gguf"):
            (out / name).write_text("precious", encoding="utf-8")
        first, last = kill_after(checkpoint, out, chance.randrange(1, 25))
        if first:
            assert first >= 0.95 * done_bytes
        done_bytes = last or done_bytes
        if (out / "slow-Q5_K_M.gguf").exists():  # the last of the three names: all are in view
            done_bytes = 0
            assert [sha256_of(out / f"slow-{name}.gguf") for name in ("Q2_K", "Q4_K_M", "Q5_K_M")] == digests
            for path in out.iterdir():
                path.unlink()
        else:
            assert (out / "slow-Q4_K_M.gguf").read_bytes() == b"precious"
    last_run = run("convert", checkpoint, *SLOW_TYPES, "--output", out, "--json")
    assert [file["sha256"] for file in json.loads(last_run.stdout)["files"]] == digests
    assert not list(out.glob("*.part")) + list(out.glob("*.journal*"))


def sha256_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_kill_takes_the_helper_along(checkpoint: Path, tmp_path: Path) -> None:
    with converting(checkpoint, tmp_path, "read") as child:
        helpers = psutil.Process(child.pid).children()
        child.kill()
        child.wait(timeout=10)
        wait_until(lambda: not any(helper.is_running() for helper in helpers), 3, "the helper's end")


def test_the_second_of_two_conversions_to_one_file_is_told(checkpoint: Path, tmp_path: Path) -> None:
    with converting(checkpoint, tmp_path, "quantize"):
        done = run("convert", checkpoint, "--type", "Q2_K", "--output", tmp_path, "--events")
        assert done.returncode == 1
        assert events(done.stdout)[-1]["kind"] == "busy"
        assert (tmp_path / "slow-Q2_K.gguf.part").exists()


def limited_file_size() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))


def test_a_write_that_fails_is_a_clear_error(checkpoint: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = run("convert", checkpoint, "--type", "Q8_0", "--output", out, "--events", preexec_fn=limited_file_size)
    assert_disk_failure(done, out)


def assert_disk_failure(done: Any, out: Path) -> None:
    last = events(done.stdout)[-1]
    assert (done.returncode, last["kind"]) == (1, "disk"), last
    assert "Traceback" not in done.stderr
    assert any(character.isdigit() for character in last["message"])
    assert list(out.iterdir()) == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 4 MB; needs root."""
    mount = tmp_path / "disk"
    mount.mkdir()
    if os.geteuid() or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", mount]).returncode:
        pytest.skip("mounting needs root")
    yield mount
    subprocess.run(["umount", mount], check=True)


def test_a_small_disk_is_seen_before_the_first_byte(checkpoint: Path, small_disk: Path) -> None:
    done = run("convert", checkpoint, "--type", "Q8_0", "--output", small_disk, "--events")
    assert_disk_failure(done, small_disk)
    message = events(done.stdout)[-1]["message"]
    assert "bytes are needed" in message
    assert "are free" in message
    assert [event["event"] for event in events(done.stdout)] == ["failed"]


def test_a_folder_that_cannot_be_made_is_a_clear_error(checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    done = run("convert", checkpoint, "--type", "Q8_0", "--output", tmp_path / "file" / "out", "--events")
    assert (done.returncode, events(done.stdout)[-1]["kind"]) == (1, "disk")


def test_a_checkpoint_that_changes_meanwhile_gives_no_file(checkpoint: Path, tmp_path: Path) -> None:
    with converting(checkpoint, tmp_path, "quantize") as child:
        os.utime(checkpoint / "model.safetensors")
        assert child.stdout is not None
        out = child.stdout.read()
        child.wait(timeout=10)
    assert (child.returncode, events(out)[-1]["kind"]) == (1, "bad_file")
    assert "changed" in events(out)[-1]["message"]
    assert list(tmp_path.iterdir()) == []
