"""Gemma 3: a real model's file comes out again, and what no golden can show."""

from pathlib import Path
from typing import Any

import pytest

from converters.convert import Request, prepare
from converters.errors import UnsupportedModel
from converters.events import Cancel
from converters.families.gemma3 import Gemma3
from converters.helper import Helper
from converters.values import ValueType
from tests.support.gemma_checkpoint import make_gemma3
from tests.support.gguf_file import read_gguf
from tests.support.models import gemma3_gguf

CONFIG = {"hidden_size": 2560, "intermediate_size": 10240, "num_hidden_layers": 34, "sliding_window": 1024}
# of the real file alone, or of ours: keys that converters wrote earlier or later, or read from a tokenizer.json
OTHERS = {"gemma3.rope.freq_base_swa", "tokenizer.ggml.add_sep_token", "tokenizer.ggml.unknown_token_id"}
OTHERS |= {"general.quantization_version", "general.file_type"}


@pytest.mark.native
def test_the_real_file_comes_out_again(tmp_path: Path) -> None:
    """Names, shapes, types and metadata of Google's Gemma 3 270M; the weights here are zeros."""
    original = read_gguf(gemma3_gguf())
    folder = make_gemma3(tmp_path, hollow=True)
    with Helper(Cancel()) as helper:
        made = prepare(Request(folder, ("Q4_K_M",), tmp_path), helper, Cancel())
    assert made.warnings == []
    assert {source.name: source.shape for source in made.sources} == {n: t.shape for n, t in original.tensors.items()}
    assert {name: kind.name for name, kind in made.types[0].items()} == {
        name: tensor.type.name for name, tensor in original.tensors.items()
    }
    tokenizer = {**made.tokenizer.metadata("default"), **made.family.tokenizer_values(made.tokenizer.config)}
    values = {**made.general, **made.family.metadata(), **tokenizer}
    found = {key: value.data for key, value in values.items() if key not in OTHERS}
    wanted = {key: value for key, value in original.metadata.items() if key not in OTHERS}
    assert found.keys() == wanted.keys()
    assert [key for key in wanted if not equal(found[key], wanted[key], values[key].type)] == []


def equal(found: Any, wanted: Any, kind: ValueType) -> bool:
    if kind is ValueType.FLOAT32:
        return bool(found == pytest.approx(wanted))
    return bool((list(found) if kind is ValueType.ARRAY else found) == wanted)


def test_what_config_leaves_out_is_the_hf_class_s() -> None:
    """google/gemma-3-4b-it states these sizes and its rotary scaling, and nothing else."""
    values = Gemma3.from_config(CONFIG | {"rope_scaling": {"factor": 8.0, "rope_type": "linear"}}).metadata()
    assert {key.removeprefix("gemma3."): value.data for key, value in values.items()} == {
        "block_count": 34, "context_length": 131072, "embedding_length": 2560, "feed_forward_length": 10240,
        "attention.head_count": 8, "attention.head_count_kv": 4, "attention.key_length": 256,
        "attention.value_length": 256, "attention.layer_norm_rms_epsilon": 1e-6, "attention.sliding_window": 1024,
        "rope.freq_base": 1e6, "rope.freq_base_swa": 1e4, "rope.scaling.type": "linear", "rope.scaling.factor": 8.0,
    }  # fmt: skip


@pytest.mark.parametrize("key", ["attn_logit_softcapping", "use_bidirectional_attention"])
def test_what_llama_cpp_does_not_do_is_refused(key: str) -> None:
    with pytest.raises(UnsupportedModel, match=key):
        Gemma3.from_config(CONFIG | {key: True})
