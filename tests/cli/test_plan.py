"""pronk plan and pronk devices as processes, on the real starter model."""

import json
from pathlib import Path

import pytest

from tests.support.cli import pronk_json, run_pronk
from tests.support.models import smollm2_gguf

pytestmark = pytest.mark.native

PLAN_FIELDS = {
    "n_gpu_layers", "n_layers_total", "context", "kv_type", "flash_attention", "n_batch", "n_ubatch", "n_outputs_max",
    "n_threads", "parallel", "tensor_split", "tensor_overrides", "verdict", "method", "elapsed_ms", "devices", "host",
    "expected", "reasons", "alternatives", "notes",
}  # fmt: skip
DEVICE_FIELDS = {
    "id", "total_bytes", "free_bytes", "reserve_bytes", "weights_bytes", "kv_bytes", "compute_bytes",
}  # fmt: skip
MODEL = str(smollm2_gguf())


def test_plan_has_the_contracts_fields() -> None:
    plan = pronk_json("plan", MODEL)
    assert plan.keys() == PLAN_FIELDS
    assert plan["host"].keys() == DEVICE_FIELDS
    assert (plan["n_layers_total"], plan["context"], plan["method"]) == (31, 8192, "dry_run")
    assert plan["expected"].keys() >= {"prefill_tokens_per_s", "decode_tokens_per_s"}
    assert plan["host"]["kv_bytes"] == 188_743_680
    assert plan["reasons"]


def test_options_are_obeyed() -> None:
    plan = pronk_json("plan", MODEL, "--context", "2000", "--kv-type", "q8_0", "--parallel", "3")
    assert (plan["context"], plan["kv_type"], plan["parallel"], plan["n_outputs_max"]) == (2048, "q8_0", 3, 3)


@pytest.mark.parametrize("text", ["4k", "4K", "4,096"])
def test_a_context_in_thousands(text: str) -> None:
    assert pronk_json("plan", MODEL, "--context", text)["context"] == 4096


def test_chat_warns_of_no_lender_that_cannot_be() -> None:
    done = run_pronk("chat", MODEL, "--rpc", "foo", "--prompt", "Hi")
    assert done.returncode == 1
    assert "foo is no HOST:PORT." in done.stderr
    assert "encrypted" not in done.stderr


def test_simulated_cards() -> None:
    plan = pronk_json("plan", MODEL, "--gpu", "RTX 3060=12GB", "--gpu", "GTX 1060=6GB", "--ram", "32GB")
    assert (plan["verdict"], plan["method"], plan["tensor_split"]) == ("gpu", "dry_run", [31, 0])
    assert plan["host"]["total_bytes"] == 32 * 10**9
    assert plan["devices"][0].keys() == DEVICE_FIELDS


def test_gpu_layers_on_a_simulated_card() -> None:
    plan = pronk_json("plan", MODEL, "--gpu", "RTX 3060=12GB", "--gpu-layers", "5", "--context", "max")
    assert (plan["n_gpu_layers"], plan["verdict"], plan["context"]) == (5, "partial", 8192)


def test_too_big_is_an_answer() -> None:
    done = run_pronk("plan", MODEL, "--ram", "2GB", "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["verdict"] == "too_big"
    assert any("lacks" in reason for reason in json.loads(done.stdout)["reasons"])


def test_a_plan_is_taken_from_a_file_and_from_stdin(tmp_path: Path) -> None:
    plan = pronk_json("plan", MODEL, "--context", "1024")
    path = tmp_path / "我的 plan.json"
    path.write_text(json.dumps(plan))
    assert pronk_json("plan", MODEL, "--plan", str(path)) == plan
    done = run_pronk("plan", MODEL, "--plan", "-", "--json", stdin=json.dumps(plan))
    assert json.loads(done.stdout) == plan


def test_text_for_people() -> None:
    done = run_pronk("plan", MODEL)
    assert done.returncode == 0
    assert "Fits on your processor · 8,192 context" in done.stdout
    assert "main memory" in done.stdout
    assert "dry run" in done.stdout


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        (("--context", "many"), "bad_request"),
        (("--context", "k"), "bad_request"),
        (("--rpc", "foo"), "bad_request"),
        (("--context", "10"), "bad_request"),
        (("--gpu-layers", "-1"), "bad_request"),
        (("--gpu", "RTX 3060"), "bad_request"),
        (("--gpu", "RTX 3060=0"), "bad_request"),
        (("--gpu", "RTX 3060=1KB"), "bad_request"),
        (("--ram", "lots"), "bad_request"),
        (("--ram", "1KB"), "bad_request"),
        (("--draft-tokens", "-1"), "bad_request"),
        (("--context", "1024", "--min-context", "2048"), "bad_request"),
        (("--plan", "/nowhere/plan.json"), "bad_file"),
    ],
)
def test_wishes_that_cannot_be(options: tuple[str, ...], kind: str) -> None:
    done = run_pronk("plan", MODEL, *options, "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["error"]["kind"] == kind
    assert "Traceback" not in done.stderr
    assert done.stderr


def test_model_that_is_not_there() -> None:
    done = run_pronk("plan", "no-such-model", "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["error"]["kind"] == "bad_file"


def test_devices() -> None:
    devices = pronk_json("devices")
    assert devices["cpu"].keys() == {"name", "physical_cores", "logical_cores"}
    assert devices["memory"].keys() == {"total_bytes", "available_bytes", "bandwidth_bytes_per_s"}
    assert devices["engine"]["version"]
    assert "cpu" in devices["engine"]["backends"]
    assert all(
        gpu.keys() == {"id", "name", "backend", "total_bytes", "free_bytes", "integrated"} for gpu in devices["gpus"]
    )
    assert "Processor" in run_pronk("devices").stdout
