"""What ggml and the drivers say of odd computers, recorded as they say it, becomes devices and then plans."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.devices.amdgpu import amd_cards
from app.devices.hardware import InstalledGpu
from app.devices.merge import Merged, address_of, merge, unused_card_notes
from app.devices.values import Card
from app.llama.devices import EngineDevice
from app.plan.planner import make_plan
from app.plan.values import PlanRequest
from tests.support.facts import dense
from tests.support.machines import machine

GIB = 2**30
RECORDED = sorted((Path(__file__).parent / "sources").glob("*.json"))
CARD = Card("nvidia", "NVIDIA GeForce RTX 3060", "0000:01:00.0", 12 * GIB, 11 * GIB, "550.54.14")


def replay(case: dict[str, Any], root: Path) -> Merged:
    """Return a recorded computer's devices; its sysfs is written below `root` and read from there."""
    for path, text in case["sysfs"]["files"].items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(f"{text}\n")
    for path, target in case["sysfs"]["links"].items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).symlink_to(root / target)
    devices = [EngineDevice(**device) for device in case["devices"]]
    cards = [*(Card(**card) for card in case["nvml"]), *amd_cards(root)]
    return merge(devices, cards, windows=case["windows"])


@pytest.mark.parametrize("recorded", RECORDED, ids=lambda path: path.stem)
def test_recorded_sources(recorded: Path, tmp_path: Path) -> None:
    case: dict[str, Any] = json.loads(recorded.read_text(encoding="utf-8"))
    found = replay(case, tmp_path)
    expected = case["expect"]
    for kind in ("gpus", "doubles"):
        gpus = {gpu.id: gpu for gpu in getattr(found, kind)}
        assert list(gpus) == list(expected[kind])
        for id_, fields in expected[kind].items():
            assert {name: getattr(gpus[id_], name) for name in fields} == fields
    assert list(found.notes) == expected["notes"]
    assert all(0 <= gpu.free_bytes <= gpu.total_bytes for gpu in (*found.gpus, *found.doubles))
    if case["plan"]:
        devices = replace(machine(ram_gb=case["ram_gb"]), gpus=found.gpus)
        plan = make_plan(dense(), devices, PlanRequest())
        assert [device.id for device in plan.devices] == case["plan"]["used"]
        assert plan.verdict == case["plan"]["verdict"]


def test_cards_know_their_device(tmp_path: Path) -> None:
    case = json.loads((Path(__file__).parent / "sources/rocm_card.json").read_text(encoding="utf-8"))
    cards = replay(case, tmp_path).cards
    assert [(card.pci_id, card.device) for card in cards] == [("0000:03:00.0", "ROCm0"), ("0000:c4:00.0", "")]
    assert cards[0].driver.startswith("amdgpu ")
    assert (cards[0].has_display, cards[1].has_display) == (True, False)


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("00000000:0A:00.0", "0000:0a:00.0"),
        ("0000:01:00.0-v1", "0000:01:00.0"),
        ("0000000F:01:00.0", "000f:01:00.0"),
        ("", ""),
        ("MTL0", ""),
    ],
)
def test_addresses(written: str, address: str) -> None:
    assert address_of(written) == address


def test_unused_card_is_told_once_with_figures_and_remedy() -> None:
    shown = InstalledGpu("nvidia", "10de:2504", "GA106", has_driver=True, address="0000:01:00.0")
    for installed in ([shown], []):  # a container shows no PCI devices
        (sentence,) = unused_card_notes([CARD], installed, ["cpu"])
        assert "11.8 GB free of 12.9 GB, driver 550.54.14) is not used: the engine was built without CUDA" in sentence
    assert unused_card_notes([replace(CARD, device="CUDA0")], [shown], ["cuda"]) == ()


def test_card_that_build_and_driver_allow_but_the_engine_does_not_list() -> None:
    (sentence,) = unused_card_notes([CARD], [], ["cuda", "cpu"])
    assert "the engine does not list it" in sentence


def test_card_without_a_driver_has_no_figures() -> None:
    bare = InstalledGpu("nvidia", "10de:2504", None, has_driver=False, address="0000:01:00.0")
    (sentence,) = unused_card_notes([], [bare], ["cuda"])
    assert sentence.startswith("NVIDIA graphics card [10de:2504] is not used: it has no working driver.")
