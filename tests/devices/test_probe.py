"""The probe with a real helper child, one that crashes, one that hangs, and a broken engine."""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.actions.context import Pronk
from app.actions.devices import LEFT_OUT, find_devices, probe_with
from app.core.paths import Home
from app.devices.bandwidth import measure_bandwidth, remember_bandwidth, remembered_bandwidth
from app.devices.hardware import installed_gpus
from app.devices.merge import unused_card_notes
from app.devices.nvml import NvidiaDriver
from app.devices.system import cpu_name, read_cpu, read_memory
from app.jobs.helper import Helper

CRASHES = "import os, sys; sys.stdin.readline(); os.abort()"
HANGS = "import threading; threading.Event().wait()"
ANSWERS = """
import json, sys
for line in sys.stdin:
    request = json.loads(line)
    result = {"bandwidth_bytes_per_s": 5} if request["op"] == "bandwidth" else json.loads(sys.argv[1])
    print(json.dumps({"id": request["id"], "result": result}), flush=True)
"""


@pytest.fixture
def pronk(home: Home) -> Iterator[Pronk]:
    context = Pronk(home)
    yield context
    context.close()


def helper(home: Home, script: str, *arguments: str) -> Helper:
    return Helper([sys.executable, "-c", script, *arguments], home.logs / "helper.log")


@pytest.mark.native
def test_this_computer(pronk: Pronk) -> None:
    devices = find_devices(pronk)
    assert devices.cpu.name
    assert devices.cpu.physical_cores >= 1
    assert 0 < devices.memory.available_bytes <= devices.memory.total_bytes
    assert devices.memory.bandwidth_bytes_per_s
    assert devices.memory.bandwidth_bytes_per_s > 10**9
    assert "cpu" in devices.backends
    assert devices.engine_version
    assert not devices.simulated


@pytest.mark.native
def test_simulated_cards_take_the_place_of_real_ones(pronk: Pronk) -> None:
    devices = find_devices(pronk, simulated_gpus=(("RTX 3060", 12 * 10**9), ("RTX 4090", 24 * 10**9)), ram_bytes=10**10)
    assert [(gpu.id, gpu.name, gpu.free_bytes) for gpu in devices.gpus] == [
        ("GPU0", "RTX 3060", 12 * 10**9),
        ("GPU1", "RTX 4090", 24 * 10**9),
    ]
    assert devices.memory.total_bytes == devices.memory.available_bytes == 10**10
    assert devices.simulated


def test_driver_that_crashes_costs_a_note(pronk: Pronk) -> None:
    crashing = helper(pronk.home, CRASHES)
    devices = probe_with(crashing, pronk)
    crashing.close()
    assert devices.gpus == ()
    assert devices.cpu.physical_cores >= 1
    assert devices.memory.total_bytes > 0
    assert devices.memory.bandwidth_bytes_per_s is None
    assert any("crashed" in note for note in devices.notes)


def test_driver_that_hangs_costs_a_note(pronk: Pronk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.actions.devices.PROBE_TIMEOUT_S", 0.2)
    monkeypatch.setattr("app.actions.devices.BANDWIDTH_TIMEOUT_S", 0.2)
    hanging = helper(pronk.home, HANGS)
    devices = probe_with(hanging, pronk)
    hanging.close()
    assert devices.gpus == ()
    assert any("did not answer within 0.2 s" in note for note in devices.notes)


@pytest.mark.parametrize("recorded", sorted((Path(__file__).parent / "machines").glob("*.json")), ids=lambda p: p.stem)
def test_recorded_machines(pronk: Pronk, recorded: Path) -> None:
    case: dict[str, Any] = json.loads(recorded.read_text())
    replaying = helper(pronk.home, ANSWERS, json.dumps(case["probe"]))
    devices = probe_with(replaying, pronk)
    replaying.close()
    assert [gpu.id for gpu in devices.gpus] == [gpu["id"] for gpu in case["probe"]["gpus"]]
    assert devices.notes == tuple(case["probe"]["notes"])
    assert devices.memory.bandwidth_bytes_per_s == 5


BROKEN_ENGINE = """
import sys
sys.modules["llama_cpp"] = None
from app.devices.helper import main
main([])
"""


def test_broken_engine_still_answers(pronk: Pronk) -> None:
    broken = helper(pronk.home, BROKEN_ENGINE)
    devices = probe_with(broken, pronk)
    broken.close()
    assert devices.gpus == devices.backends == ()
    assert any("The engine (llama-cpp-python) cannot be loaded" in note for note in devices.notes)
    assert devices.memory.bandwidth_bytes_per_s


@pytest.mark.skipif(sys.platform != "linux", reason="a sysfs tree")
def test_card_that_this_build_cannot_use_is_named(tmp_path: Path) -> None:
    card = tmp_path / "sys/bus/pci/devices/0000:01:00.0"
    card.mkdir(parents=True)
    for name, text in (("class", "0x030000"), ("vendor", "0x10de"), ("device", "0x2504")):
        (card / name).write_text(f"{text}\n")
    (sentence,) = unused_card_notes((), installed_gpus(tmp_path, "Linux"), ["cpu", "rpc"])
    assert "NVIDIA" in sentence
    assert "not used" in sentence
    assert unused_card_notes((), installed_gpus(tmp_path / "empty", "Linux"), ["cpu", "rpc"]) == ()


def test_no_nvidia_driver_is_no_error() -> None:
    driver = NvidiaDriver()
    assert isinstance(driver.cards(), tuple)
    driver.close()


NEEDS = """
import json, os, sys
for line in sys.stdin:
    if os.environ.get(sys.argv[1]) != sys.argv[2]:
        os.abort()
    request = json.loads(line)
    probe = {"engine": {"version": "1", "backends": ["cuda", "cpu"]}, "gpus": [], "notes": []}
    result = {"bandwidth_bytes_per_s": 5} if request["op"] == "bandwidth" else probe
    print(json.dumps({"id": request["id"], "result": result}), flush=True)
"""


@pytest.fixture
def drivers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the variables back that keep drivers away."""
    for _, mask in LEFT_OUT:
        for name in mask:
            monkeypatch.setenv(name, "as it was")


@pytest.mark.usefixtures("drivers")
@pytest.mark.parametrize(
    ("variable", "value", "left_out"),
    [
        ("CUDA_VISIBLE_DEVICES", "-1", "CUDA and ROCm"),
        ("VK_LOADER_DRIVERS_DISABLE", "*", "all graphics drivers"),
    ],
)
def test_engine_goes_on_without_a_driver_that_crashes_it(
    pronk: Pronk, variable: str, value: str, left_out: str
) -> None:
    pronk.__dict__["helper"] = helper(pronk.home, NEEDS, variable, value)
    devices = find_devices(pronk)
    assert devices.backends == ("cuda", "cpu")
    assert devices.memory.bandwidth_bytes_per_s == 5
    (note,) = devices.notes
    assert f"the engine runs without {left_out}" in note
    assert "SIGABRT" in note


@pytest.mark.usefixtures("drivers")
def test_engine_that_no_driver_breaks_leaves_the_environment_alone(pronk: Pronk) -> None:
    pronk.__dict__["helper"] = helper(pronk.home, CRASHES)
    devices = find_devices(pronk)
    assert devices.backends == ()
    assert {os.environ[name] for _, mask in LEFT_OUT for name in mask} == {"as it was"}


def test_best_bandwidth_is_remembered_for_a_processor(tmp_path: Path) -> None:
    for measured, best in ((20, 20), (12, 20), (25, 25)):
        assert remembered_bandwidth(tmp_path, "A") is None
        assert remember_bandwidth(tmp_path, "A", measured) == best
    assert remembered_bandwidth(tmp_path, "A") == 25
    assert remembered_bandwidth(tmp_path, "B") is None
    (tmp_path / "bandwidth.json").write_text("{nonsense")
    assert remembered_bandwidth(tmp_path, "A") is None
    assert remember_bandwidth(tmp_path / "missing", "A", 1) == 1


def test_bandwidth_is_plausible() -> None:
    assert 10**9 < measure_bandwidth(read_cpu().physical_cores) < 10**13


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc/cpuinfo's format")
@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("processor : 0\nmodel name\t: AMD Ryzen 7  7840U\n", "AMD Ryzen 7 7840U"),
        ("processor : 0\nModel\t\t: Raspberry Pi 5 Model B Rev 1.0\n", "Raspberry Pi 5 Model B Rev 1.0"),
    ],
)
def test_processor_names(tmp_path: Path, text: str, name: str) -> None:
    (tmp_path / "cpuinfo").write_text(text)
    assert cpu_name(tmp_path / "cpuinfo") == name


def test_processor_without_a_name(tmp_path: Path) -> None:
    assert cpu_name(tmp_path / "nothing")


def test_memory_is_read() -> None:
    memory = read_memory(7)
    assert memory.total_bytes >= memory.available_bytes > 0
    assert memory.bandwidth_bytes_per_s == 7


@pytest.mark.parametrize(
    ("cgroup", "folder", "limit", "used"),
    [
        ("0::/user.slice/app.service\n", "sys/fs/cgroup/user.slice", "memory.max", "memory.current"),
        ("0::/\n", "sys/fs/cgroup", "memory.max", "memory.current"),
        (
            "3:cpu:/\n2:memory,hugetlb:/docker/ab\n0::/docker/ab\n",
            "sys/fs/cgroup/memory",  # inside the container its own group is the top
            "memory.limit_in_bytes",
            "memory.usage_in_bytes",
        ),
    ],
)
def test_container_s_memory_counts(tmp_path: Path, cgroup: str, folder: str, limit: str, used: str) -> None:
    mib = 2**20
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text(cgroup)
    (tmp_path / folder).mkdir(parents=True)
    (tmp_path / folder / limit).write_text(f"{512 * mib}\n")
    (tmp_path / folder / used).write_text(f"{300 * mib}\n")
    (tmp_path / folder / "memory.stat").write_text(f"anon 1\ninactive_file {60 * mib}\nactive_file {40 * mib}\n")
    memory = read_memory(root=tmp_path)
    assert (memory.total_bytes, memory.available_bytes) == (512 * mib, 312 * mib)


def test_group_without_a_limit_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text("0::/a\n")
    (tmp_path / "sys/fs/cgroup/a").mkdir(parents=True)
    (tmp_path / "sys/fs/cgroup/a/memory.max").write_text("max\n")
    assert read_memory(root=tmp_path).total_bytes == read_memory(root=tmp_path / "none").total_bytes
