"""Cards are known by the names that drivers give them and people write."""

import itertools
import re
from dataclasses import replace

import pytest

from app.devices.values import Gpu
from app.plan.budget import budgets_of
from app.plan.cards import GPU_BANDWIDTHS, known_bandwidth
from app.plan.planner import make_plan
from app.plan.throughput import GPU_EFFICIENCY, throughputs_of
from app.plan.values import PlanRequest
from tests.support.facts import dense
from tests.support.machines import GB, machine


@pytest.mark.parametrize(
    ("name", "gb_per_s"),
    [
        ("NVIDIA GeForce GTX 1050", 112),
        ("GTX 1050 Ti", 112),
        ("GTX 1650", 128),
        ("NVIDIA GeForce GTX 1650 SUPER", 192),
        ("GTX 1660", 192),
        ("GTX 1660 Ti", 288),
        ("NVIDIA GeForce MX150", 48),
        ("NVIDIA GeForce MX450", 64),
        ("NVIDIA GeForce MX940", 48),
        ("NVIDIA GeForce RTX 4050 Laptop GPU", 192),
        ("NVIDIA GeForce RTX 4060 Laptop GPU", 256),
        ("RTX 4060", 272),
        ("rtx4060 mobile", 256),
        ("NVIDIA GeForce RTX 4090 Laptop GPU", 576),
        ("NVIDIA GeForce RTX 4090", 1008),
        ("NVIDIA GeForce RTX 5090 Laptop GPU", 896),
        ("RTX 3060Ti", 448),
        ("RTX 3070 Ti", 608),
        ("RTX 3080 Ti", 912),
        ("RTX 4070 Ti SUPER", 672),
        ("RTX 4080 SUPER", 736),
        ("RTX 5060 Ti", 448),
        ("RTX 2080 Ti", 616),
        ("NVIDIA RTX A4000", 448),
        ("NVIDIA RTX A6000", 768),
        ("NVIDIA RTX 6000 Ada Generation", 960),
        ("NVIDIA L4", 300),
        ("NVIDIA L40S", 864),
        ("Tesla T4", 320),
        ("Tesla P40", 347),
        ("Tesla V100-SXM2-16GB", 900),
        ("NVIDIA A100-SXM4-80GB", 1555),
        ("AMD Radeon RX 580 Series (RADV POLARIS10)", 256),
        ("RX580", 256),
        ("AMD Radeon RX 5700 XT", 448),
        ("AMD Radeon RX 6500 XT", 144),
        ("AMD Radeon RX 7900XTX", 960),
        ("AMD Radeon RX 9070 XT", 640),
        ("Intel(R) Arc(TM) B580 Graphics", 456),
        ("Intel(R) Arc(TM) A580 Graphics", 512),
        ("Apple M3 Max", 400),
        ("Voodoo 2", None),
        ("Quadro T400", None),
        ("AMD Ryzen 7 5700G with Radeon Graphics", None),
        ("Quadro P4000", None),
    ],
)
def test_bandwidth_by_name(name: str, gb_per_s: float | None) -> None:
    assert known_bandwidth(name) == (None if gb_per_s is None else gb_per_s * GB)


def test_no_name_hides_a_longer_one_behind_it() -> None:
    for (first, _), (second, _) in itertools.combinations(GPU_BANDWIDTHS, 2):
        assert not re.search(rf"(?<!\w){re.escape(first)}(?!\w)", second), f"{first} is found before {second}"


@pytest.mark.parametrize(("size_gb", "gb_per_s"), [(2, 150), (6, 150), (8, 300), (24, 300)])
def test_an_unknown_card_is_as_fast_as_its_size(size_gb: int, gb_per_s: int) -> None:
    card = Gpu("GPU0", "Voodoo 2", "cuda", size_gb * GB, size_gb * GB)
    devices = replace(machine(), gpus=(card,), simulated=True)
    rate = throughputs_of(devices, budgets_of(devices, None)).gpus[0].rates["Q4_K"]
    assert rate.decode_bytes_per_s == pytest.approx(gb_per_s * GB * GPU_EFFICIENCY)
    plan = make_plan(dense(), devices, PlanRequest())
    assert f"Nothing is known of Voodoo 2: {gb_per_s} GB a second is assumed." in plan.reasons
