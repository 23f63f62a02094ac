"""What is kept free on each device."""

import pytest

from app.devices.values import Cpu, Devices, Gpu, Memory
from app.plan.budget import MIB, budgets_of

GIB = 2**30


def computer(*gpus: Gpu, ram_bytes: int = 16 * GIB) -> Devices:
    return Devices(Cpu("A processor", 4, 8), Memory(ram_bytes, ram_bytes // 2), gpus)


def card(backend: str, has_display: bool = False, is_wddm: bool = False) -> Gpu:
    return Gpu("GPU0", "A card", backend, 12 * GIB, 11 * GIB, has_display=has_display, is_wddm=is_wddm)


@pytest.mark.parametrize(
    ("gpu", "reserve_mib"),
    [
        (card("cuda"), 448),
        (card("ROCm"), 448),
        (card("cuda", has_display=True), 576),
        (card("cuda", is_wddm=True), 576),
        (card("cuda", has_display=True, is_wddm=True), 576),
        (card("vulkan"), 256),
        (card("vulkan", has_display=True), 384),
        (card("metal"), 256),
        (card("rpc"), 256),
    ],
)
def test_first_reserve(gpu: Gpu, reserve_mib: int) -> None:
    (budget,) = budgets_of(computer(gpu), None).gpus
    assert budget.reserve_bytes == reserve_mib * MIB
    assert budget.usable_bytes == 11 * GIB - reserve_mib * MIB


def test_a_lesson_replaces_the_first_reserve_and_a_wish_replaces_both() -> None:
    devices = computer(card("cuda"))
    assert budgets_of(devices, None, {"GPU0": 900 * MIB}).gpus[0].reserve_bytes == 900 * MIB
    assert budgets_of(devices, 100 * MIB, {"GPU0": 900 * MIB}).gpus[0].reserve_bytes == 100 * MIB


def test_a_reserve_beyond_what_is_free_leaves_nothing() -> None:
    assert budgets_of(computer(card("cuda")), None, {"GPU0": 20 * GIB}).gpus[0].usable_bytes == 0


@pytest.mark.parametrize(("ram_gib", "reserve_gib"), [(8, 2.0), (16, 2.0), (64, 6.4)])
def test_main_memory_keeps_two_gibibytes_or_a_tenth(ram_gib: int, reserve_gib: float) -> None:
    host = budgets_of(computer(card("cuda"), ram_bytes=ram_gib * GIB), 0).host
    assert host.reserve_bytes == pytest.approx(reserve_gib * GIB, abs=1)


def test_the_wish_is_the_hosts_where_there_is_no_gpu() -> None:
    assert budgets_of(computer(), 300 * MIB).host.reserve_bytes == 300 * MIB
