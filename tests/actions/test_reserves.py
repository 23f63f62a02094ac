"""Lessons about memory: kept, found again, and never a reason to fail."""

from dataclasses import replace

import pytest

from app.actions.context import Pronk
from app.actions.learned import what_was_learned
from app.actions.replan import Room, most_bytes
from app.actions.reserves import FILE_NAME, model_class, remember_reserve, reserves_for
from app.core.paths import Home
from app.devices.values import Cpu, Devices, Gpu, Memory
from tests.support.facts import dense

GIB, MIB = 2**30, 2**20

CARD = Gpu("CUDA0", "RTX 3060", "cuda", 12 * GIB, 11 * GIB, driver="580.1")
DEVICES = Devices(
    Cpu("A processor", 4, 8), Memory(16 * GIB, 8 * GIB), (CARD, replace(CARD, id="CUDA1")), engine_version="0.3.36"
)


@pytest.fixture
def pronk(home: Home) -> Pronk:
    return Pronk(home)


def test_a_lesson_is_found_again(pronk: Pronk) -> None:
    facts = dense()
    assert reserves_for(pronk, facts, DEVICES) == {}
    remember_reserve(pronk, facts, DEVICES, "CUDA1", 900 * MIB)
    remember_reserve(pronk, facts, DEVICES, "CPU", 5 * GIB)  # a limit of this run, not of the computer
    # Two cards of one kind are one.
    assert reserves_for(pronk, facts, DEVICES) == {"CUDA0": 900 * MIB, "CUDA1": 900 * MIB}
    assert what_was_learned(pronk, facts, DEVICES).reserves == {"CUDA0": 900 * MIB, "CUDA1": 900 * MIB}
    remember_reserve(pronk, facts, DEVICES, "CUDA0", 700 * MIB)
    assert reserves_for(pronk, facts, DEVICES)["CUDA0"] == 900 * MIB


def test_a_lesson_is_for_its_card_driver_engine_and_class(pronk: Pronk) -> None:
    facts = dense()
    remember_reserve(pronk, facts, DEVICES, "CUDA0", 900 * MIB)
    others = (replace(CARD, name="RTX 4090"), replace(CARD, driver="590.2"), replace(CARD, backend="vulkan"))
    for other in others:
        assert reserves_for(pronk, facts, replace(DEVICES, gpus=(other,))) == {}
    assert reserves_for(pronk, facts, replace(DEVICES, engine_version="0.4.0")) == {}
    assert reserves_for(pronk, facts, replace(DEVICES, simulated=True)) == {}
    assert reserves_for(pronk, replace(facts, architecture="gemma3"), DEVICES) == {}
    assert reserves_for(pronk, replace(facts, size_bytes=facts.size_bytes * 16 + 2**31), DEVICES) == {}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        "[]",
        '{"version": 9, "reserves": {"a": 1}}',
        '{"version": 1}',
        '{"version":1,"reserves":{"a":"b"}}',
        '{"version":1,"reserves":{"a":1e999}}',
        "[" * 100_000,
    ],
)
def test_a_damaged_file_is_as_good_as_none(pronk: Pronk, text: str) -> None:
    (pronk.home.cache / FILE_NAME).write_text(text)
    facts = dense()
    assert reserves_for(pronk, facts, DEVICES) == {}
    remember_reserve(pronk, facts, DEVICES, "CUDA0", 900 * MIB)
    assert reserves_for(pronk, facts, DEVICES)["CUDA0"] == 900 * MIB


@pytest.mark.parametrize(
    ("size_gib", "size"),
    [(0.5, "under 1 GiB"), (1, "1-4 GiB"), (3.9, "1-4 GiB"), (4, "4-16 GiB"), (40, "16-64 GiB"), (132, "64-256 GiB")],
)
def test_model_classes(size_gib: float, size: str) -> None:
    facts = replace(dense(), architecture="llama", size_bytes=int(size_gib * GIB))
    assert model_class(facts) == f"llama dense {size}"
    experts = replace(facts, metadata={**facts.metadata, "llama.expert_count": 64})
    assert model_class(experts) == f"llama experts {size}"


@pytest.mark.parametrize(
    ("gives_mib", "used_mib", "while_running", "most_mib"),
    [
        (5000, 6000, False, 4744),  # it gives less than the plan took: its reserve is kept of what it gives
        (5000, 4900, False, 4744),  # it would have given it: it keeps its reserve all the same
        (5000, 4800, False, 4672),  # 128 MiB less than what failed
        (9000, 4800, False, 4672),
        (9000, 4800, True, 4544),  # 256 MiB less after it had run
        (5000, 4900, True, 4744),  # the reserve was not there
        (200, 100, True, 0),
        (0, 100, False, 0),
    ],
)
def test_how_much_the_next_plan_may_take(gives_mib: int, used_mib: int, while_running: bool, most_mib: int) -> None:
    room = Room(gives_mib * MIB, used_mib * MIB, 256 * MIB)
    assert most_bytes(room, while_running) == most_mib * MIB
