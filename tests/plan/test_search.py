"""Which plan wins, by tables; and what must hold for every plan."""

import time
from dataclasses import replace

import pytest

from app.devices.values import Devices, Gpu
from app.library.facts import ModelFacts
from app.plan.planner import make_plan
from app.plan.values import LoadPlan, PlanRequest
from tests.support.facts import dense, experts
from tests.support.machines import GB, machine

LLAMA_8B = dense()
LLAMA_70B = dense(80, 8192, 28672, 64, 8)
QWEN_30B = experts()
QWEN_235B = experts(94, 4096, 128, 8, 1536)

TABLE = [
    # model, GPUs in GB, RAM in GB, verdict, layers, context, KV type
    (LLAMA_8B, (24,), 64, "gpu", 33, 131072, "f16"),
    (LLAMA_8B, (12,), 64, "gpu", 33, 32768, "f16"),
    (LLAMA_8B, (), 64, "cpu", 0, 131072, "f16"),
    (LLAMA_8B, (), 12, "cpu", 0, 32768, "f16"),
    (LLAMA_8B, (), 6, "too_big", 0, 4096, "q8_0"),
    (LLAMA_70B, (24,), 64, "partial", None, 131072, None),
    (LLAMA_70B, (24, 24, 24), 64, "gpu", 81, 131072, None),
    (LLAMA_70B, (), 16, "too_big", 0, 4096, None),
    (QWEN_30B, (24,), 64, "gpu", 49, 40960, None),
    (QWEN_30B, (12,), 64, "partial", 49, 40960, None),
    (QWEN_235B, (24,), 64, "too_big", None, 4096, None),
]


@pytest.mark.parametrize(("facts", "gpus", "ram", "verdict", "layers", "context", "kv_type"), TABLE)
def test_table(
    facts: ModelFacts, gpus: tuple[int, ...], ram: int, verdict: str, layers: int | None, context: int, kv_type: str
) -> None:
    plan = make_plan(facts, machine(*gpus, ram_gb=ram), PlanRequest())
    assert (plan.verdict, plan.context) == (verdict, context)
    assert layers in (None, plan.n_gpu_layers)
    assert kv_type in (None, plan.kv_type)
    assert plan.n_layers_total == facts.n_layers + 1
    assert plan.reasons
    if verdict != "too_big":
        assert_within_budget(plan)


def assert_within_budget(plan: LoadPlan) -> None:
    for device in (plan.host, *plan.devices):
        used = device.weights_bytes + device.kv_bytes + device.compute_bytes
        assert used <= device.free_bytes - device.reserve_bytes, device.id
    if plan.devices:
        assert sum(plan.tensor_split) == plan.n_gpu_layers


@pytest.mark.parametrize("facts", [LLAMA_8B, LLAMA_70B])
@pytest.mark.parametrize("kv_type", ["auto", "f16"])
def test_more_memory_never_means_fewer_layers(facts: ModelFacts, kv_type: str) -> None:
    before = -1
    for tenth_gb in range(10, 260, 6):
        plan = make_plan(facts, machine(tenth_gb / 10), PlanRequest(context=8192, kv_type=kv_type))
        assert_within_budget(plan)
        assert plan.n_gpu_layers >= before, f"at {tenth_gb / 10} GB"
        before = plan.n_gpu_layers
    assert before == facts.n_layers + 1 or facts is LLAMA_70B


@pytest.mark.parametrize("gb", [3, 4, 5, 6])
def test_a_few_more_layers_would_not_fit(gb: int) -> None:
    request = PlanRequest(context=8192, kv_type="f16")
    plan = make_plan(LLAMA_8B, machine(gb), request)
    assert 0 < plan.n_gpu_layers < 33
    assert make_plan(LLAMA_8B, machine(gb), replace(request, gpu_layers=plan.n_gpu_layers + 3)).verdict == "too_big"


def test_experts_move_before_layers_do() -> None:
    plan = make_plan(QWEN_30B, machine(12), PlanRequest())
    assert plan.n_gpu_layers == 49
    assert len(plan.tensor_overrides) == 1
    assert plan.tensor_overrides[0].device == "CPU"
    assert plan.tensor_overrides[0].pattern.startswith(r"^blk\.(")
    # All attention and KV stay on the card.
    assert plan.host.kv_bytes == 0
    assert plan.devices[0].kv_bytes > 0


def test_wishes_are_obeyed_exactly() -> None:
    request = PlanRequest(context=10000, kv_type="q4_0", gpu_layers=7, parallel=3, reserve_bytes=GB)
    plan = make_plan(LLAMA_8B, machine(24), request)
    assert (plan.n_gpu_layers, plan.kv_type, plan.parallel, plan.n_outputs_max) == (7, "q4_0", 3, 3)
    assert plan.context == 10240  # whole blocks of 256
    assert plan.devices[0].reserve_bytes == GB
    assert plan.verdict == "partial"
    assert plan.n_batch == plan.n_ubatch


def test_f16_is_kept_when_asked_for() -> None:
    assert make_plan(LLAMA_70B, machine(24), PlanRequest(kv_type="f16")).kv_type == "f16"


def test_least_context_is_the_trained_one_of_small_models() -> None:
    plan = make_plan(dense(trained=2048), machine(24), PlanRequest())
    assert plan.context == 2048


def test_largest_context_is_found_within_256() -> None:
    plan = make_plan(LLAMA_8B, machine(12), PlanRequest(context="max", kv_type="f16"))
    assert plan.verdict == "gpu"
    assert 32768 <= plan.context < 131072
    beyond = make_plan(LLAMA_8B, machine(12), PlanRequest(context=plan.context + 256, kv_type="f16"))
    assert beyond.verdict != "gpu"


def test_a_single_card_that_holds_everything_is_used_alone() -> None:
    plan = make_plan(LLAMA_8B, machine(8, 24), PlanRequest(context=8192))
    assert plan.tensor_split == (0, 33)


def test_layers_are_dealt_over_cards_within_their_budgets() -> None:
    plan = make_plan(LLAMA_70B, machine(12, 24, 24), PlanRequest(context=8192))
    assert plan.verdict == "gpu"
    assert sum(plan.tensor_split) == 81
    assert all(plan.tensor_split)
    assert_within_budget(plan)


def test_integrated_gpu_takes_from_main_memory() -> None:
    devices = machine(ram_gb=16)
    apu = Gpu("Vulkan0", "AMD Radeon 780M", "vulkan", 12 * GB, 12 * GB, integrated=True)
    plan = make_plan(LLAMA_8B, replace(devices, gpus=(apu,)), PlanRequest())
    in_memory = sum(d.weights_bytes + d.kv_bytes + d.compute_bytes for d in (plan.host, *plan.devices))
    assert in_memory <= 16 * GB - plan.host.reserve_bytes


def test_device_without_memory_is_left_out() -> None:
    ghost = Gpu("Vulkan0", "llvmpipe", "vulkan", 0, 0)
    plan = make_plan(LLAMA_8B, replace(machine(), gpus=(ghost,)), PlanRequest())
    assert (plan.verdict, plan.devices) == ("cpu", ())


def test_alternatives_offer_more_context() -> None:
    plan = make_plan(LLAMA_8B, machine(12), PlanRequest(kv_type="f16"))
    assert plan.alternatives
    assert plan.alternatives[0].context > plan.context
    assert plan.alternatives[0].verdict != "too_big"


@pytest.mark.parametrize("facts", [LLAMA_8B, LLAMA_70B, QWEN_30B, QWEN_235B])
def test_formulas_take_milliseconds(facts: ModelFacts) -> None:
    def seconds(devices: Devices) -> float:
        start = time.process_time()
        make_plan(facts, devices, PlanRequest())
        return time.process_time() - start

    for devices in (machine(), machine(12), machine(24)):
        assert min(seconds(devices) for _ in range(3)) < 0.05
