"""Converts tiny checkpoints of every family and compares with what llama.cpp's own converter made of them.

tests/goldens/README.md says how the goldens are made. A golden says everything of the reference's file but the
weights; they are rebuilt from their names (tests/support/golden_checkpoint.py).
"""

import json
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from converters.convert import Request, convert
from converters.errors import NotYet
from converters.events import Cancel, Silent
from converters.helper import Helper
from converters.quant_types import FILE_TYPES
from tests.goldens.case import all_cases
from tests.goldens.result import result_of
from tests.support.convert_child import ROOT, run
from tests.support.golden_checkpoint import build_checkpoint

pytestmark = pytest.mark.native

FOLDER = Path(__file__).parents[1] / "goldens"
GOLDENS = sorted(path.stem for path in FOLDER.glob("*.json"))
QUANTIZED = ("Q8_0", "Q4_K_M", "Q2_K")
WIDE = {0: "F32", 1: "F16", 32: "BF16"}

# Where the converter differs on purpose -> the reason, which docs/converting.md gives at more length. Two regular
# expressions: one of "GOLDEN TOKENIZER", and one of a metadata key or "tensor NAME". What nothing needs fails.
DIFFERENCES: dict[tuple[str, str], str] = {
    (r".*-tied-head .*", r"tensor output\.weight|general\.size_label"): "a head equal to the embedding is not kept",
    (
        r"llama-code .*",
        r"tokenizer\.ggml\.(prefix|suffix|middle)_token_id",
    ): "the reference means to write them, but fails",
    (
        r".* spm(_gemma)?",
        r"tokenizer\.ggml\.token_type",
    ): "user-defined pieces of a SentencePiece model are said to be that",
    (
        r".* spm_bpe",
        r"tokenizer\.ggml\.(scores|token_type)",
    ): "from merges and added tokens; all alike in the reference",
    (r".* tekken", r"tokenizer\.chat_template"): "in full; not the name of one in llama.cpp",
    (r"llama-templates .*", r"tokenizer\.chat_templates"): "sorted; the reference's order is that of a set, by chance",
    (r"gemma2?(-.*)? .*", r"gemma2?\.rope\.freq_base"): "stated by config.json; the reference counts on the default",
    (r"(gemma3-pattern|gpt_oss-bf16) .*", r".*\.sliding_window_pattern"): "layers slide as config.json says",
    (r"glm4_moe-no-nextn .*", r"glm4moe\.(block_count|nextn_predict_layers)"): "a further layer counts if it is stored",
    (
        r"(glm4_moe_lite|deepseek_v3-saved).* .*",
        r"deepseek2\.expert_gating_func",
    ): "the HF class chooses experts by a sigmoid, whatever config.json says",
    (r"mistral4.* .*", r"mistral4\.attention\.temperature_.*"): "queries grow with the position, as in the HF class",
    (
        r"qwen3_5(_moe(-singly)?)? .*",
        r"tensor blk\.0\.ssm_a",
    ): "exp is rounded right; torch's is off in the last bit for one value of a hundred",
    (
        r"qwen3_(next(-fused.*|-no-mtp)?|5-no-mtp) .*",
        r".*\.full_attention_interval",
    ): "as config.json says; the reference has lost it by then, and writes 4",
    (r"nemotron_h-mtp .*", r"tensor blk\.3\.ffn_gate_inp\.weight"): "a router is F32 in the predicting block too",
}
# What is still to be put right, in the same form; a line goes when its cause does.
PENDING: dict[tuple[str, str], str] = {}


Converted = Callable[[str], dict[str, Any]]


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Converted]:
    """Converts goldens' checkpoints, each once, in this process; one helper process serves them all."""
    results: dict[str, dict[str, Any]] = {}
    with Helper(Cancel()) as helper, pytest.MonkeyPatch.context() as patch:
        helper.ask(do="types", model="", file_types=[])  # starts it outside of any one test
        patch.setattr("converters.convert.Helper", lambda cancel: nullcontext(helper))

        def convert_golden(name: str) -> dict[str, Any]:
            if name not in results:
                results[name] = _convert(read_golden(name), tmp_path_factory.mktemp("golden"))
            return results[name]

        yield convert_golden


def _convert(golden: dict[str, Any], parent: Path) -> dict[str, Any]:
    folder, types = build_checkpoint(golden["checkpoint"], parent), (wide_type(golden), "Q4_K_M")
    try:
        said = convert(Request(folder, types, parent, n_threads=1), Cancel(), Silent())
    except NotYet as error:
        pytest.skip(error.message)
    result = result_of(Path(said["files"][0]["path"]))
    shutil.rmtree(parent)
    return {**result, "parity": said["tokenizer_parity"], "warnings": said["warnings"]}


def read_golden(name: str) -> dict[str, Any]:
    golden: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return golden


def wide_type(golden: dict[str, Any]) -> str:
    """The type that the reference's --outtype auto took; where the file type tells something else, from tensors."""
    number = golden["result"]["metadata"]["general.file_type"][1]
    types = Counter(tensor["type"] for tensor in golden["result"]["tensors"] if tensor["type"] in ("F16", "BF16"))
    return WIDE.get(number) or types.most_common(1)[0][0]


def entries(result: dict[str, Any]) -> dict[str, Any]:
    """Metadata keys, and tensors by "tensor NAME", each with what the file says of it."""
    tensors = {f"tensor {tensor['name']}": tensor for tensor in result["tensors"]}
    return {**result["metadata"], **tensors}


def differing(golden: dict[str, Any], result: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """What the reference's file and ours do not have in common: (reference's, ours)."""
    wanted, found = entries(golden["result"]), entries(result)
    keys = sorted(wanted.keys() | found.keys())
    return {key: (wanted.get(key), found.get(key)) for key in keys if wanted.get(key) != found.get(key)}


def is_of(entry: tuple[str, str], golden: dict[str, Any], name: str) -> bool:
    return bool(re.fullmatch(entry[0], f"{name} {golden['checkpoint']['tokenizer']}"))


def allowed(golden: dict[str, Any], name: str) -> Callable[[str], bool]:
    patterns = [entry[1] for entry in DIFFERENCES | PENDING if is_of(entry, golden, name)]
    return lambda key: any(re.fullmatch(pattern, key) for pattern in patterns)


@pytest.mark.parametrize("name", GOLDENS)
def test_the_file_is_that_of_the_reference(name: str, converted: Converted) -> None:
    golden = read_golden(name)
    on_purpose = allowed(golden, name)
    found = differing(golden, converted(name))
    assert {key: pair for key, pair in found.items() if not on_purpose(key)} == {}


@pytest.mark.parametrize("name", GOLDENS)
def test_the_tokenizer_gives_the_original_ids(name: str, converted: Converted) -> None:
    parity = converted(name)["parity"]
    assert parity["equal"] == parity["checked"] >= 300


@pytest.mark.parametrize("name", GOLDENS)
def test_types_are_those_that_llama_cpp_chooses(name: str, converted: Converted) -> None:
    """The converter compares its types, here those of Q4_K_M, with llama.cpp's dry run, and warns where they differ."""
    assert converted(name)["warnings"] == []


@pytest.mark.parametrize("entry", DIFFERENCES | PENDING, ids=" ".join)
def test_every_difference_is_still_there(entry: tuple[str, str], converted: Converted) -> None:
    concerned = [(name, golden) for name in GOLDENS if is_of(entry, golden := read_golden(name), name)]
    assert any(re.fullmatch(entry[1], key) for name, golden in concerned for key in differing(golden, converted(name)))


def test_every_case_has_its_golden() -> None:
    cases = all_cases()
    assert sorted(cases) == GOLDENS
    for name, case in cases.items():
        checkpoint = read_golden(name)["checkpoint"]
        shapes = {name: tuple(spec[1]) for name, spec in checkpoint["tensors"].items()}
        assert json.loads(json.dumps(case.checkpoint(name, shapes))) == checkpoint, f"{name}: make its golden again"


@pytest.mark.parametrize(
    "name",
    [
        "llama-f32",
        "llama-mixed",
        "mixtral-8",
        "llama-mixed-shards",
    ],
)
def test_quantized_from_any_dtype_as_by_two_steps(name: str, tmp_path: Path) -> None:
    """F32 goes through 16 bits when the reference's own file would, so that the quantizer sees the same values."""
    golden = read_golden(name)
    folder, types = build_checkpoint(golden["checkpoint"], tmp_path), (wide_type(golden), *QUANTIZED)
    done = run(
        "convert", folder, *(word for kind in types for word in ("--type", kind)), "--output", tmp_path, "--json"
    )
    wide, *ours = [Path(file["path"]) for file in json.loads(done.stdout)["files"]]
    theirs = {tmp_path / f"{kind}.gguf": str(FILE_TYPES[kind].number) for kind in QUANTIZED}
    command = [sys.executable, "-m", "tests.support.native", "quantize", wide, *chain(*theirs.items())]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=120)
    for one, other in zip(ours, theirs, strict=True):
        assert result_of(one)["tensors"] == result_of(other)["tensors"]


def test_the_command_line_gives_the_same_file(tmp_path: Path, converted: Converted) -> None:
    golden = read_golden("llama")
    folder, output = build_checkpoint(golden["checkpoint"], tmp_path), tmp_path / "out.gguf"
    done = run("convert", folder, "--type", wide_type(golden), "--output", output)
    assert done.returncode == 0, done.stdout
    assert differing({"result": result_of(output)}, converted("llama")) == {}
