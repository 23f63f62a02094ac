"""Real weights through the converter: the same bytes as llama.cpp's two steps, the same ids, nearly the same logits."""

import decimal
import difflib
import json
import math
import statistics
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
from tokenizers import Tokenizer

from converters.tokenizer.probe_texts import probe_texts
from tests.support.checkpoints import make_checkpoint, to_bf16
from tests.support.gguf_file import read_gguf
from tests.support.models import smollm2_gguf

pytestmark = pytest.mark.native
ROOT = Path(__file__).parents[2]


def run(*arguments: str, stdin: str = "") -> str:
    done = subprocess.run(
        [sys.executable, "-m", *arguments], cwd=ROOT, input=stdin, capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@dataclass(frozen=True)
class Chain:
    checkpoint: Path
    files: dict[str, Path]
    result: dict[str, Any]
    plan: dict[str, Any]


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Chain:
    folder = tmp_path_factory.mktemp("链 chain")
    checkpoint = make_checkpoint(smollm2_gguf(), folder / "SmolLM2-135M-Instruct")
    types = [part for kind in ("Q4_K_M", "Q8_0", "BF16") for part in ("--type", kind)]
    arguments = ("converters", "convert", str(checkpoint), *types, "--output", str(folder / "out"))
    plan = json.loads(run(*arguments, "--dry-run", "--json"))
    assert not (folder / "out").exists()
    result = json.loads(run(*arguments, "--json"))
    return Chain(checkpoint, {file["type"]: Path(file["path"]) for file in result["files"]}, result, plan)


def test_the_checkpoint_is_a_real_one(chain: Chain) -> None:
    names = sorted(path.name for path in chain.checkpoint.iterdir())
    assert "model-00002-of-00002.safetensors" in names
    assert {"config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors.index.json"} <= set(names)


@pytest.mark.parametrize(("kind", "number"), [("Q4_K_M", 15), ("Q8_0", 7)])
def test_every_tensor_equals_what_the_quantizer_makes(chain: Chain, tmp_path: Path, kind: str, number: int) -> None:
    run("tests.support.native", "quantize", str(chain.files["BF16"]), str(tmp_path / "two-steps.gguf"), str(number))
    theirs, ours = read_gguf(tmp_path / "two-steps.gguf"), read_gguf(chain.files[kind])
    assert list(ours.tensors) == list(theirs.tensors)
    for name, tensor in ours.tensors.items():
        assert (tensor.type, tensor.shape) == (theirs.tensors[name].type, theirs.tensors[name].shape), name
        assert ours.data(name) == theirs.data(name), name
    assert len(ours.tensors) == 272
    assert ours.metadata == theirs.metadata


def test_the_dry_run_told_every_byte(chain: Chain) -> None:
    assert chain.plan["output_bytes"] == [file["size_bytes"] for file in chain.result["files"]]
    assert chain.plan["output_bytes"] == [path.stat().st_size for path in chain.files.values()]
    for tensors, path in zip(chain.plan["tensors"], chain.files.values(), strict=True):
        stored = [(name, tensor.type.name, list(tensor.shape)) for name, tensor in read_gguf(path).tensors.items()]
        assert [(t["name"], t["type"], t["shape"]) for t in tensors] == stored


def test_metadata_is_that_of_the_published_file(chain: Chain) -> None:
    ours, published = read_gguf(chain.files["Q8_0"]).metadata, read_gguf(smollm2_gguf()).metadata
    from_card = {"general.name", "general.organization", "general.basename", "general.finetune", "general.license",
                 "general.languages", "general.file_type"}  # fmt: skip
    for name in published.keys() - from_card:
        assert ours[name] == published[name], name
    added = ours.keys() - published.keys()
    assert added == {"llama.attention.key_length", "llama.attention.value_length"}
    assert ours["general.file_type"] == 7


def test_bf16_holds_the_published_weights(chain: Chain) -> None:
    """The checkpoint has queries and keys in HF's order; the file must have them back in llama.cpp's."""
    ours, published = read_gguf(chain.files["BF16"]), read_gguf(smollm2_gguf())
    assert ours.tensors.keys() == published.tensors.keys()
    for name, tensor in published.tensors.items():
        raw = np.frombuffer(published.data(name), np.uint8)
        weights = gguf.quants.dequantize(raw.reshape(-1, raw.size // math.prod(tensor.shape[:-1])), tensor.type)
        expected = to_bf16(weights)
        if ours.tensors[name].type.name == "F32":
            expected = (expected.astype(np.uint32) << 16).view(np.float32)
        assert ours.data(name) == expected.tobytes(), name


def mixed_lines() -> list[str]:
    pieces = [text for text in probe_texts() if text.strip()]
    lines = [f"{pieces[i % len(pieces)]}{' ' * (i % 4)}{pieces[i * 7 % len(pieces)]}" for i in range(496)]
    return [*lines, "", " ", "<|im_start|>user\n你好 🙂<|im_end|>\n", "\ttab\t<|endoftext|>"]


def test_the_tokenizer_gives_the_same_ids_on_500_lines(chain: Chain) -> None:
    lines = mixed_lines()
    assert len(lines) == 500
    ours = json.loads(run("tests.support.native", "tokenize", str(chain.files["Q4_K_M"]), stdin=json.dumps(lines)))
    tokenizer = Tokenizer.from_file(str(chain.checkpoint / "tokenizer.json"))
    assert ours == [tokenizer.encode(line, add_special_tokens=False).ids for line in lines]
    parity = chain.result["tokenizer_parity"]
    assert parity["pre"] == "smollm"
    assert parity["equal"] == parity["checked"] >= 300


def test_q8_0_is_near_bf16(chain: Chain, tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text("\n".join(str(module.__doc__) for module in (statistics, decimal, difflib)), encoding="utf-8")
    out = run("tests.support.native", "compare", str(chain.files["BF16"]), str(chain.files["Q8_0"]), str(text))
    figures = json.loads(out)
    print(f"Q8_0 against BF16: mean KL divergence {figures['kld_mean']:.6f}, same top token {figures['same_top']:.3f}")
    assert 0 < figures["kld_mean"] <= 0.005


def test_the_converted_model_speaks(chain: Chain) -> None:
    prompt = "<|im_start|>user\nWhat is the capital of France?<|im_end|>\n<|im_start|>assistant\n"
    ids = json.loads(run("tests.support.native", "generate", str(chain.files["Q4_K_M"]), prompt, "10"))
    tokenizer = Tokenizer.from_file(str(chain.checkpoint / "tokenizer.json"))
    assert "Paris" in tokenizer.decode(ids)
