import math
import struct
from pathlib import Path

import pytest

from app.core.errors import BadFile
from app.library.facts_json import facts_from_json, facts_to_json
from app.library.facts_reader import facts_of, read_facts
from app.library.ggml_types import FILE_TYPES, GGML_TYPES
from tests.support.gguf_builder import (
    F32,
    TEXT,
    GgufBuilder,
    MemorySource,
    array_entry,
    entry,
    small_model,
    tensor,
    text,
    text_entry,
    u32_entry,
)
from tests.support.models import gemma3_gguf, smollm2_gguf


def facts_with(*extra: bytes):
    return facts_of(MemorySource(small_model(list(extra))))


def test_facts_of_smollm2() -> None:
    facts = read_facts(smollm2_gguf())
    assert (facts.architecture, facts.file_type, facts.n_layers, facts.n_tensors) == ("llama", "Q4_1", 30, 272)
    assert (facts.parameters, facts.context_length, facts.n_vocab) == (134_515_008, 8192, 49152)
    assert facts.license == "apache-2.0"
    assert "<|im_start|>" in facts.chat_template
    assert facts.size_bytes == smollm2_gguf().stat().st_size
    assert facts.hyperparameter("attention.head_count") == 9
    assert facts.hyperparameter("nonsense", 5) == 5


def test_facts_of_gemma3() -> None:
    facts = read_facts(gemma3_gguf())
    assert (facts.architecture, facts.file_type, facts.n_layers, facts.n_vocab) == ("gemma3", "Q4_K_M", 18, 262144)
    assert facts.hyperparameter("attention.sliding_window") == 512


@pytest.mark.parametrize("model", [smollm2_gguf, gemma3_gguf])
def test_facts_survive_json(model) -> None:
    facts = read_facts(model())
    assert facts_from_json(facts_to_json(facts)) == facts


def test_the_name_falls_back_to_the_file() -> None:
    data = GgufBuilder([text_entry("general.architecture", "llama")]).build()
    assert facts_of(MemorySource(data, "/a/b/My Model.Q8_0.gguf")).name == "My Model.Q8_0"


def test_the_type_falls_back_to_most_of_the_elements() -> None:
    assert facts_with().file_type == "F16"
    assert facts_with(u32_entry("general.file_type", 15)).file_type == "Q4_K_M"
    assert facts_with(u32_entry("general.file_type", 9999)).file_type == "F16"


@pytest.mark.parametrize(
    ("entries", "template"),
    [
        ([], "{{ messages }}"),
        ([text_entry("tokenizer.chat_template.tool_use", "T")], "{{ messages }}"),
    ],
)
def test_the_default_chat_template_wins(entries: list[bytes], template: str) -> None:
    assert facts_with(*entries).chat_template == template


@pytest.mark.parametrize(
    ("entries", "template"),
    [
        ([array_entry("tokenizer.chat_template", TEXT, [text("first"), text("second")])], "first"),
        ([text_entry("tokenizer.chat_template.rag", "R"), text_entry("tokenizer.chat_template.default", "D")], "D"),
        ([text_entry("tokenizer.chat_template.rag", "R")], "R"),
        ([text_entry("tokenizer.chat_template", "x" * (2 << 20))], ""),
        ([u32_entry("tokenizer.chat_template", 5)], ""),
        ([], ""),
    ],
)
def test_other_forms_of_the_chat_template(entries: list[bytes], template: str) -> None:
    data = GgufBuilder([text_entry("general.architecture", "llama"), *entries]).build()
    assert facts_of(MemorySource(data)).chat_template == template


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        (u32_entry("llama.expert_count", 1), "uses 0 of 1 experts"),
        (u32_entry("llama.expert_count", 2**32 - 1), "4294967295 experts"),
        (u32_entry("llama.expert_used_count", 3), "uses 3 of 0 experts"),
        (entry("llama.attention.layer_norm_epsilon", F32, struct.pack("<f", math.nan)), "epsilon is nan"),
        (entry("llama.attention.layer_norm_epsilon", F32, struct.pack("<f", -1.0)), "epsilon is -1.0"),
        (array_entry("tokenizer.ggml.scores", F32, [b"\0" * 4] * 99), "100 tokens but 99 entries"),
    ],
)
def test_numbers_that_abort_llama_cpp_are_refused(extra: bytes, words: str) -> None:
    with pytest.raises(BadFile, match=words):
        facts_with(extra)


@pytest.mark.parametrize("count", [0, 2**31, 2**32 - 1])
def test_impossible_layer_counts_are_refused(count: int) -> None:
    with pytest.raises(BadFile, match=f"claims {count} layers"):
        facts_of(MemorySource(small_model(block_count=count)))


def test_wrong_types_of_known_keys_do_not_break_the_reading() -> None:
    entries = [
        text_entry("general.architecture", "llama"),
        u32_entry("general.name", 7),
        text_entry("general.file_type", "Q4"),
        text_entry("llama.context_length", "many"),
        array_entry("general.license", TEXT, [text("mit"), text("apache-2.0")]),
    ]
    facts = facts_of(MemorySource(GgufBuilder(entries).build(), "x.gguf"))
    assert (facts.name, facts.context_length, facts.license) == ("x", 0, "mit, apache-2.0")


def test_a_file_without_architecture_is_refused() -> None:
    with pytest.raises(BadFile, match="does not name its architecture"):
        facts_of(MemorySource(GgufBuilder().build()))


def test_a_folder_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="is a folder"):
        read_facts(tmp_path)
    with pytest.raises(BadFile, match="Cannot open"):
        read_facts(tmp_path / "none.gguf")


def split_model(folder: Path, count: int = 3) -> list[Path]:
    paths = []
    for number in range(count):
        head = [text_entry("general.architecture", "llama")] if number == 0 else []
        split = [u32_entry("split.no", number), u32_entry("split.count", count)]
        path = folder / f"big-{number + 1:05}-of-{count:05}.gguf"
        path.write_bytes(GgufBuilder([*head, *split], [tensor(f"blk.{number}.w", (32,))], b"\1" * 128).build())
        paths.append(path)
    return paths


def test_a_split_model_is_read_whole(tmp_path: Path) -> None:
    paths = split_model(tmp_path)
    facts = read_facts(paths[0])
    assert [tensor.name for tensor in facts.tensors] == ["blk.0.w", "blk.1.w", "blk.2.w"]
    assert facts.parameters == 96
    assert facts.size_bytes == sum(path.stat().st_size for path in paths)


def test_a_split_model_with_a_part_missing_names_it(tmp_path: Path) -> None:
    paths = split_model(tmp_path)
    paths[1].unlink()
    with pytest.raises(BadFile, match=r"1 missing: big-00002-of-00003\.gguf"):
        read_facts(paths[0])


def test_a_later_part_names_the_first(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="not the first part") as caught:
        read_facts(split_model(tmp_path)[2])
    assert "big-00001-of-00003.gguf" in caught.value.hint


def test_a_part_under_another_name_says_how_to_name_it(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="its name does not say which"):
        read_facts(split_model(tmp_path)[0].rename(tmp_path / "renamed.gguf"))


def test_types_are_those_of_ggml() -> None:
    gguf = pytest.importorskip("gguf")
    ours = {number: (kind.block_size, kind.block_bytes) for number, kind in GGML_TYPES.items()}
    theirs = {int(number): sizes for number, sizes in gguf.GGML_QUANT_SIZES.items()}
    theirs.pop(9)  # gguf-py is wrong about Q8_1, which no file holds; ggml_type_size says 36
    assert theirs.items() <= ours.items()
    names = {int(kind): kind.name.removeprefix("MOSTLY_").removeprefix("ALL_") for kind in gguf.LlamaFileType}
    assert {number: name for number, name in names.items() if number < 1024}.items() <= FILE_TYPES.items()
