"""Plans from headers alone: a 70B model in seconds, exact to the byte; memory and names."""

import json
import math
import struct
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from converters.convert import model_name
from converters.general import general_metadata
from tests.support.checkpoints import tiny_checkpoint
from tests.support.convert_child import run

SIZES = {
    "hidden_size": 8192, "intermediate_size": 28672, "num_hidden_layers": 80, "num_attention_heads": 64,
    "num_key_value_heads": 8, "vocab_size": 32000, "max_position_embeddings": 8192,
}  # fmt: skip


def header_only_checkpoint(folder: Path) -> Path:
    """Write a 70B checkpoint whose one shard is all hole."""
    tiny_checkpoint(folder)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8")) | SIZES
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    d, f, kv, vocab = 8192, 28672, 1024, SIZES["vocab_size"]
    block = {
        "self_attn.q_proj": (d, d), "self_attn.k_proj": (kv, d), "self_attn.v_proj": (kv, d),
        "self_attn.o_proj": (d, d),
        "mlp.gate_proj": (f, d), "mlp.up_proj": (f, d), "mlp.down_proj": (d, f), "input_layernorm": (d,),
        "post_attention_layernorm": (d,),
    }  # fmt: skip
    shapes: dict[str, tuple[int, ...]] = {"model.embed_tokens": (vocab, d), "model.norm": (d,), "lm_head": (vocab, d)}
    for i in range(80):
        shapes |= {f"model.layers.{i}.{name}": shape for name, shape in block.items()}
    header: dict[str, Any] = {}
    offset = 0
    for name, shape in shapes.items():
        size = 2 * shape[0] * (shape[1] if len(shape) > 1 else 1)
        header[f"{name}.weight"] = {"dtype": "BF16", "shape": shape, "data_offsets": [offset, offset + size]}
        offset += size
    raw = json.dumps(header).encode()
    with (folder / "model.safetensors").open("wb") as file:
        file.write(struct.pack("<Q", len(raw)) + raw)
        file.truncate(8 + len(raw) + offset)
    return folder


@pytest.mark.native
def test_a_70b_model_is_planned_from_its_header(tmp_path: Path) -> None:
    folder = header_only_checkpoint(tmp_path / "Big-70B")
    done = run("convert", folder, "--type", "Q4_K_M", "--type", "Q8_0", "--dry-run", "--json")
    plan = json.loads(done.stdout)
    assert plan["warnings"] == []
    types = [{tensor["name"]: tensor["type"] for tensor in tensors} for tensors in plan["tensors"]]
    assert types[0]["blk.1.attn_v.weight"] == "Q6_K"
    assert types[0]["blk.20.attn_v.weight"] == "Q5_K"  # the 80-layer rule
    assert types[1]["blk.20.attn_v.weight"] == "Q8_0"
    n_values = sum(math.prod(tensor["shape"]) for tensor in plan["tensors"][1])
    assert n_values > 68e9
    assert n_values * 34 // 32 < plan["output_bytes"][1] < n_values * 34 // 32 + 10_000_000
    assert plan["needed_disk_bytes"] == sum(plan["output_bytes"])
    assert plan["peak_memory_bytes"] < 1_500_000_000
    assert plan["metadata"]["llama.block_count"] == 80
    assert not any(key.startswith("tokenizer.") for key in plan["metadata"])
    assert plan["source_bytes"] > 2 * n_values - 10_000_000


PEAK_MEMORY = """
import sys
from converters.__main__ import main
code = main(sys.argv[1:])
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(int(status["VmHWM"].split()[0]) * 1024)
sys.exit(code)
"""


@pytest.mark.native
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_stays_under_the_plan(tmp_path: Path) -> None:
    folder = tiny_checkpoint(tmp_path / "model", hidden_size=1024, intermediate_size=8192, num_hidden_layers=2)
    arguments = ["convert", str(folder), "--type", "Q8_0", "--output", str(tmp_path), "--json"]
    done = subprocess.run([sys.executable, "-c", PEAK_MEMORY, *arguments], capture_output=True, text=True, check=True)
    planned = json.loads(run(*arguments, "--dry-run").stdout)["peak_memory_bytes"]
    used = int(done.stdout.splitlines()[-1])
    assert planned / 4 < used < planned


def test_names_of_models(tmp_path: Path) -> None:
    snapshot = tmp_path / "models--meta-llama--Llama-3.1-8B" / "snapshots" / "0e9e39f249a16976918f6564b8830bc894c89659"
    assert model_name(snapshot) == "Llama-3.1-8B"
    assert model_name(Path("/x/My Model (v2)")) == "My-Model-v2"
    assert model_name(Path("/")) == "model"


def test_general_values_come_from_card_and_folder(tmp_path: Path) -> None:
    folder = tmp_path / "Tiny-Chat-1B"
    folder.mkdir()
    (folder / "README.md").write_text("---\nlicense: mit\ntags: [chat]\nlanguage: en\n---\n# x\n", encoding="utf-8")
    (folder / "generation_config.json").write_text('{"temperature": 0.6, "repetition_penalty": 1.1}', encoding="utf-8")
    values = {key: value.data for key, value in general_metadata(folder, "llama", {"a": (1000, 1_000_000)}).items()}
    expected = {
        "general.architecture": "llama", "general.type": "model",
        "general.name": "Tiny Chat 1B", "general.size_label": "1B",
        "general.basename": "Tiny", "general.finetune": "Chat", "general.license": "mit", "general.tags": ["chat"],
        "general.languages": ["en"], "general.sampling.temp": 0.6, "general.sampling.penalty_repeat": 1.1,
    }  # fmt: skip
    assert values == expected


def test_senseless_values_of_a_card_are_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    laughs = "\n".join(f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]" for a, b in pairwise("abcdefghijklmnop"))
    card = f"---\na: &a [lol, lol]\n{laughs}\ntags: [ok, *p, 7]\nlicense_name: *p\n---\n"
    (tmp_path / "README.md").write_text(card, encoding="utf-8")
    settings = {"temperature": "hot", "top_k": 1e99, "top_p": None, "min_p": 0.1}
    (tmp_path / "generation_config.json").write_text(json.dumps(settings), encoding="utf-8")
    values = general_metadata(tmp_path, "llama", {"w": (2_000, 1_000)})
    assert values["general.tags"].data == ["ok"]
    assert values["general.sampling.min_p"].data == 0.1
    assert not values.keys() & {"general.license.name", "general.sampling.temp", "general.sampling.top_k"}
    assert "general.sampling.temp" in caplog.text


def test_a_broken_card_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("---\nlicense: [unclosed\n---\n", encoding="utf-8")
    values = general_metadata(tmp_path, "llama", {"w": (2_000, 1_000)})
    assert values["general.size_label"].data == "2.0M"
    assert values["general.name"].data == tmp_path.name
