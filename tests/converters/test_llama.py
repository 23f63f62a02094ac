"""What the Llama family says of a config."""

from typing import Any

import pytest

from converters.errors import BadCheckpoint, UnsupportedModel
from converters.families.llama import Llama
from converters.registry import FAMILIES, find_family

CONFIG = {
    "architectures": ["LlamaForCausalLM"], "hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32,
    "num_attention_heads": 32, "num_key_value_heads": 8, "max_position_embeddings": 8192, "rms_norm_eps": 1e-5,
    "rope_theta": 500000.0, "vocab_size": 128256,
}  # fmt: skip


def metadata(**changes: Any) -> dict[str, Any]:
    values = Llama.from_config(CONFIG | changes).metadata()
    return {key.removeprefix("llama."): value.data for key, value in values.items()}


def test_metadata_is_that_of_the_upstream_converter() -> None:
    assert metadata() == {
        "block_count": 32, "context_length": 8192, "embedding_length": 4096, "feed_forward_length": 14336,
        "attention.head_count": 32, "attention.head_count_kv": 8, "rope.freq_base": 500000.0,
        "attention.layer_norm_rms_epsilon": 1e-5, "attention.key_length": 128, "attention.value_length": 128,
        "vocab_size": 128256, "rope.dimension_count": 128,
    }  # fmt: skip


def test_defaults_are_those_of_the_hf_class() -> None:
    bare = {key: value for key, value in CONFIG.items() if key not in ("num_key_value_heads", "rope_theta")}
    values = Llama.from_config(bare).metadata()
    assert values["llama.attention.head_count_kv"].data == 32
    assert values["llama.rope.freq_base"].data == 10000.0


def test_rope_is_read_in_its_old_and_new_form() -> None:
    old = metadata(rope_scaling={"type": "linear", "factor": 4})
    assert (old["rope.scaling.type"], old["rope.scaling.factor"], old["rope.freq_base"]) == ("linear", 4.0, 500000.0)
    yarn = {
        "rope_type": "yarn",
        "factor": 4.0,
        "original_max_position_embeddings": 32768,
        "rope_theta": 1e6,
        "beta_fast": 32,
    }
    new = metadata(rope_parameters=yarn)
    assert new["rope.scaling.original_context_length"] == 32768
    assert (new["rope.freq_base"], new["rope.scaling.yarn_beta_fast"]) == (1e6, 32.0)


@pytest.mark.parametrize(
    "rope", [{"type": "linear"}, {"type": "yarn", "factor": "x"}, {"rope_type": "llama3", "factor": []}]
)
def test_a_senseless_rope_is_refused(rope: dict[str, Any]) -> None:
    with pytest.raises(BadCheckpoint):
        Llama.from_config(CONFIG | {"rope_scaling": rope}).computed()


@pytest.mark.parametrize(
    "changes",
    [
        {"hidden_size": 1.5},
        {"num_attention_heads": 0},
        {"num_key_value_heads": 5},
        {"num_hidden_layers": True},
        {"rms_norm_eps": float("nan")},
        {"rope_scaling": 3},
        {"vocab_size": -1},
    ],
)
def test_a_senseless_size_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(BadCheckpoint):
        Llama.from_config(CONFIG | changes)


def test_vocabularies_with_fixed_tokens() -> None:
    assert Llama.from_config(CONFIG | {"vocab_size": 49152}).tokenizer_values({}).keys() == {
        "tokenizer.ggml.add_bos_token"
    }
    infill = Llama.from_config(CONFIG | {"vocab_size": 32016}).tokenizer_values({"add_prefix_space": False})
    assert infill["tokenizer.ggml.eot_token_id"].data == 32010
    assert infill["tokenizer.ggml.add_space_prefix"].data is False


def test_the_registry_knows_llama_and_mistral() -> None:
    assert find_family({"architectures": ["MistralForCausalLM"]}) == ("MistralForCausalLM", Llama)
    with pytest.raises(UnsupportedModel) as caught:
        find_family({"architectures": ["QwenForCausalLM"]})
    assert all(name in caught.value.hint for name in FAMILIES)
