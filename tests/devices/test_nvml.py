"""NVIDIA's cards through the real children, with a library built here in the driver's place."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from app.core.paths import Home
from app.devices.nvml import NvidiaDriver, has_nvml
from app.devices.values import Card
from app.jobs.commands import pronk_command
from tests.support.fake_nvml import DRIVER, GIB, build_fake_nvml

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="a Linux library")
MIB = 2**20


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_fake_nvml(tmp_path_factory.mktemp("nvml"))


@pytest.fixture
def mode(library: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Choose how the library behaves in the children that are started from here on."""
    monkeypatch.setenv("LD_LIBRARY_PATH", str(library))
    return lambda name: monkeypatch.setenv("FAKE_NVML", name)


def asked(limit_s: float = 8.0) -> tuple[tuple[Card, ...], tuple[str, ...]]:
    driver = NvidiaDriver(limit_s)
    try:
        return driver.cards()
    finally:
        driver.close()


def test_two_cards(mode: Any) -> None:
    mode("ok")
    assert has_nvml()
    cards, notes = asked()
    assert notes == ()
    assert cards == (
        Card(
            "nvidia",
            "NVIDIA GeForce RTX 3060",
            "00000000:01:00.0",
            12 * GIB,
            12 * GIB - 1324 * MIB,  # the less of two samples
            DRIVER,
            has_display=True,
            used_by_others_bytes=824 * MIB,  # 1024 in use, 200 of them the asking process's
        ),
        Card(
            "nvidia",
            "NVIDIA GeForce GTX 1060 6GB",
            "00000000:0a:00.0",
            6 * GIB,
            4 * GIB,
            DRIVER,
            used_by_others_bytes=2 * GIB - 300 * MIB,  # without the driver's own reserve
        ),
    )


def test_old_driver_tells_no_reserve(mode: Any) -> None:
    mode("old")
    (first, second), _ = asked()
    assert (first.total_bytes, first.free_bytes) == (12 * GIB, 12 * GIB - 1324 * MIB)
    assert second.used_by_others_bytes == 2 * GIB


def test_windows_driver_model(mode: Any) -> None:
    mode("wddm")
    (first, second), _ = asked()
    assert (first.is_wddm, second.is_wddm) == (True, False)
    assert first.used_by_others_bytes == 824 * MIB


def test_card_that_fails_costs_only_itself(mode: Any) -> None:
    mode("half")
    cards, notes = asked()
    assert [card.name for card in cards] == ["NVIDIA GeForce RTX 3060"]
    assert notes == ("NVIDIA card 1 does not answer (GPU is lost).",)


def test_card_whose_name_is_no_text_costs_only_itself(mode: Any) -> None:
    mode("garbage")
    cards, (note,) = asked()
    assert [card.name for card in cards] == ["NVIDIA GeForce RTX 3060"]
    assert note.startswith("NVIDIA card 1 does not answer (")


def test_driver_that_answers_with_an_error_says_why(mode: Any) -> None:
    mode("mismatch")
    cards, (note,) = asked()
    assert cards == ()
    assert "mismatch" in note


def test_library_without_a_driver_is_no_error(mode: Any) -> None:
    mode("unloaded")
    assert asked() == ((), ())


@pytest.mark.parametrize(("how", "words"), [("abort", "SIGABRT"), ("hang", "0.6 s"), ("blocks", "0.6 s")])
def test_driver_that_crashes_or_hangs_costs_a_line_and_is_not_asked_again(mode: Any, how: str, words: str) -> None:
    mode(how)
    driver = NvidiaDriver(0.6 if how != "abort" else 8.0)
    cards, (note,) = driver.cards()
    assert cards == ()
    assert words in note
    mode("ok")
    assert driver.cards() == ((), (note,))
    driver.close()


def test_library_that_blocks_ends_its_child_even_without_a_parent_that_looks(mode: Any) -> None:
    mode("blocks")
    command = [sys.executable, "-P", "-m", "app.devices.nvml", "-0.7"]  # 0.3 s with what the parent gets to kill it
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL) as child:
        assert child.stdin
        child.stdin.write(b'{"id":1,"op":"NVML"}\n')
        child.stdin.flush()
        assert child.wait(10) == 1


def pronk(home: Home, *words: str) -> dict[str, Any]:
    done = subprocess.run(
        pronk_command("--home", str(home.root), *words, "--json"),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env=dict(os.environ),
    )
    document: dict[str, Any] = json.loads(done.stdout)
    return document


@pytest.mark.native
def test_command_shows_cards_that_this_build_cannot_use(mode: Any, home: Home) -> None:
    mode("ok")
    answer = pronk(home, "devices")
    assert answer["gpus"] == []
    first, second = answer["cards"]
    assert first["name"] == "NVIDIA GeForce RTX 3060"
    assert (first["pci_id"], first["driver"], first["device"]) == ("0000:01:00.0", DRIVER, "")
    assert (second["total_bytes"], second["free_bytes"]) == (6 * GIB, 4 * GIB)
    notes = "\n".join(answer["notes"])
    assert f"NVIDIA GeForce RTX 3060 (11.5 GB free of 12.9 GB, driver {DRIVER}) is not used" in notes
    assert "built without CUDA" in notes


@pytest.mark.native
def test_driver_that_crashes_leaves_the_engine_and_memory(mode: Any, home: Home) -> None:
    mode("abort")
    answer = pronk(home, "devices")
    assert "cpu" in answer["engine"]["backends"]
    assert answer["memory"]["total_bytes"] > 0
    assert answer["cards"] == []
    (note,) = answer["notes"]
    assert note.startswith("NVIDIA's driver could not be asked: ")
