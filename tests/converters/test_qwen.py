"""What the Qwen families say of configs and checkpoints that no golden can show."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from converters.checkpoint import open_checkpoint
from converters.errors import BadCheckpoint, ConvertError, UnsupportedModel
from converters.families.qwen2 import Qwen2
from converters.families.qwen2_audio import Qwen2Audio
from converters.families.qwen2_vl import Qwen2Vl
from converters.families.qwen3 import Qwen3
from converters.families.qwen3_5 import Qwen3_5
from converters.families.qwen3_moe import Qwen3Moe
from converters.families.qwen3_next import Qwen3Next
from converters.families.qwen3_vl import Qwen3Vl
from converters.families.qwen3_vl_moe import Qwen3VlMoe
from converters.families.qwen_omni import Qwen2Omni, Qwen3Omni
from converters.folder_facts import POOLING, RERANK_TOKENS
from converters.mapping import map_tensors
from converters.registry import find_family
from tests.support.golden_checkpoint import build_checkpoint
from tests.support.transforming import applied

CONFIG = {
    "architectures": ["Qwen3ForCausalLM"], "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2,
    "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16, "vocab_size": 300,
}  # fmt: skip


def test_only_models_that_give_embeddings_may_lack_a_head() -> None:
    head = {name: "lm_head.weight" in Qwen2.from_config(CONFIG | more).table(()) for name, more in {
        "causal": {}, "embedding": {POOLING: "mean"}, "base": {"architectures": ["Qwen2Model"]}}.items()}  # fmt: skip
    assert head == {"causal": True, "embedding": False, "base": False}


@pytest.mark.parametrize(("tied", "theirs"), [(True, "model.embed_tokens.weight"), (False, "lm_head.weight")])
def test_a_reranker_keeps_two_rows_of_its_head(tied: bool, theirs: str) -> None:
    family = Qwen3.from_config(CONFIG | {"tie_word_embeddings": tied, RERANK_TOKENS: [7, 3]})
    target = family.table(())[theirs]
    assert "cls.output.weight" in ([target] if isinstance(target, str) else target)
    stored = np.arange(40, dtype=np.float32).reshape(10, 4)
    assert applied(family.transform("cls.output.weight"), stored).tolist() == stored[[7, 3]].tolist()


@pytest.mark.parametrize("beyond", [300, -1])
def test_answers_beyond_the_vocabulary_are_refused(beyond: int) -> None:
    with pytest.raises(BadCheckpoint, match="vocabulary of 300"):
        Qwen3.from_config(CONFIG | {RERANK_TOKENS: [7, beyond]})


def metadata(family: type[Qwen2], **changes: Any) -> dict[str, Any]:
    return {key: value.data for key, value in family.from_config(CONFIG | changes).metadata().items()}


def test_defaults_are_those_of_the_hf_class() -> None:
    bare = {key: value for key, value in CONFIG.items() if key != "head_dim"}
    values = Qwen3.from_config(bare).metadata()
    assert values["qwen3.attention.key_length"].data == 128
    assert values["qwen3.rope.freq_base"].data == 10000.0
    assert metadata(Qwen2, max_position_embeddings=None)["qwen2.context_length"] == 32768


MOE = CONFIG | {
    "architectures": ["Qwen3MoeForCausalLM"], "num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 8,
}  # fmt: skip
FUSED = ["model.layers.1.mlp.experts.gate_up_proj", "model.layers.1.mlp.experts.down_proj"]


def test_each_block_has_its_experts_in_one_form() -> None:
    family = Qwen3Moe.from_config(MOE, FUSED)
    rows = ("model.layers.{i}.mlp.experts.{e}.gate_proj.weight", FUSED[0].replace("1", "{i}"))
    assert [[family.has(row, i) for row in rows] for i in range(2)] == [[True, False], [False, True]]


@pytest.mark.parametrize("more", [{"mlp_only_layers": [0]}, {"decoder_sparse_step": 2}])
def test_layers_without_experts_are_refused(more: dict[str, Any]) -> None:
    with pytest.raises(UnsupportedModel, match="no experts"):
        Qwen3Moe.from_config(MOE | more)


@pytest.mark.parametrize("used", [0, 5])
def test_senseless_expert_counts_are_refused(used: int) -> None:
    with pytest.raises(BadCheckpoint, match=f"{used} of 4 experts"):
        Qwen3Moe.from_config(MOE | {"num_experts_per_tok": used})


@pytest.mark.parametrize("shape", [(4, 7, 6), (28,)])
def test_a_fused_tensor_that_cannot_be_halved_is_refused(shape: tuple[int, ...]) -> None:
    transform = Qwen3Moe.from_config(MOE).transform("blk.{i}.ffn_gate_exps.weight")
    with pytest.raises(BadCheckpoint, match=str(shape[0])):
        applied(transform, np.zeros(shape, np.float32))


VL = CONFIG | {"vision_config": {"deepstack_visual_indexes": [1, 2, 3]}}
STACKS = {"gate": ((4, 16, 64), np.s_[:, :8]), "up": ((4, 16, 64), np.s_[:, 8:]), "down": ((4, 64, 8), np.s_[:])}


@pytest.mark.parametrize("part", STACKS)
def test_fused_experts_of_qwen3_vl_are_turned_where_they_need_it(part: str) -> None:
    """Repositories hold (expert, in, out); transformers 5.23 saves (expert, out, in)."""
    shape, taken = STACKS[part]
    upright = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    turned = np.ascontiguousarray(upright.swapaxes(1, 2))
    transform = Qwen3VlMoe.from_config(VL | MOE).transform(f"blk.{{i}}.ffn_{part}_exps.weight")
    for stored in (upright, turned):
        assert np.array_equal(applied(transform, stored), upright[taken])


def test_qwen3_vl_has_sections_and_counts_deepstack() -> None:
    values = metadata(Qwen3Vl, vision_config=VL["vision_config"])
    assert values["qwen3vl.rope.dimension_sections"] == [24, 20, 20, 0]
    assert values["qwen3vl.n_deepstack_layers"] == 3
    assert metadata(Qwen3Vl)["qwen3vl.n_deepstack_layers"] == 0


def test_qwen2_vl_needs_its_sections() -> None:
    with pytest.raises(BadCheckpoint, match="mrope_section"):
        Qwen2Vl.from_config(CONFIG)


@pytest.mark.parametrize("prefix", ["model.language_model.", "language_model.model.", "language_model.", "model.", ""])
def test_text_models_within_others_are_found_under_any_prefix(prefix: str) -> None:
    family = Qwen3Vl.from_config(VL)
    assert family.canonical(f"{prefix}layers.0.mlp.up_proj.weight") == "model.layers.0.mlp.up_proj.weight"
    assert family.canonical("language_model.lm_head.weight") == "lm_head.weight"
    assert family.drops("model.visual.blocks.0.mlp.fc1.weight")


DELTA = CONFIG | {
    "architectures": ["Qwen3_5ForCausalLM"], "linear_num_key_heads": 2, "linear_num_value_heads": 6,
    "linear_key_head_dim": 4, "linear_value_head_dim": 4, "num_hidden_layers": 4,
}  # fmt: skip
MTP = ["mtp.layers.0.mlp.up_proj.weight", "mtp.fc.weight"]


def test_value_heads_are_regrouped_in_rows_columns_and_vectors() -> None:
    family = Qwen3_5.from_config(DELTA)
    order = [0, 3, 1, 4, 2, 5]  # the first value head of each key head, then the second, then the third
    rows = np.array([head * 4 + row for head in order for row in range(4)])
    gate = np.arange(24 * 5, dtype=np.float32).reshape(24, 5)
    assert np.array_equal(applied(family.transform("blk.{i}.attn_gate.weight"), gate), gate[rows])
    out = np.ascontiguousarray(gate.T)
    assert np.array_equal(applied(family.transform("blk.{i}.ssm_out.weight"), out), out[:, rows])
    rates = np.arange(6, dtype=np.float32)
    assert applied(family.transform("blk.{i}.ssm_dt.bias"), rates).tolist() == order
    kernel = np.arange(40 * 4, dtype=np.float32).reshape(40, 1, 4)
    turned = applied(family.transform("blk.{i}.ssm_conv1d.weight"), kernel)
    assert np.array_equal(turned, np.concatenate([kernel[:16, 0], kernel[16:, 0][rows]]))


def test_what_predicts_counts_only_if_it_is_stored() -> None:
    promised = DELTA | {"mtp_num_hidden_layers": 1}
    without, stored = Qwen3_5.from_config(promised), Qwen3_5.from_config(DELTA, MTP)
    assert (without.n_block, stored.n_block) == (4, 5)
    assert "qwen35.nextn_predict_layers" not in without.metadata()
    assert stored.metadata()["qwen35.nextn_predict_layers"].data == 1
    assert stored.linear == [True, True, True, False, False]
    assert stored.canonical("model.mtp.fc.weight") == "model.layers.4.eh_proj.weight"


@pytest.mark.parametrize(
    ("changes", "names", "message"),
    [
        ({"linear_num_value_heads": 5}, [], "5 value heads for 2 key heads"),
        ({"linear_num_key_heads": 0}, [], "6 value heads for 0 key heads"),
        ({"linear_value_head_dim": 8}, [], "heads of 4 for keys and 8 for values"),
        ({"layer_types": ["linear_attention"]}, [], "layer_types"),
        ({}, ["mtp.layers.0.a", "mtp.layers.1.a"], "2 layers that predict"),
    ],
)
def test_senseless_delta_nets_are_refused(changes: dict[str, Any], names: list[str], message: str) -> None:
    with pytest.raises(ConvertError, match=message):
        Qwen3_5.from_config(DELTA | changes, names)


@pytest.mark.parametrize("rows", [95, 97])
def test_a_fused_projection_of_the_wrong_size_is_refused(rows: int) -> None:
    config = DELTA | MOE | {"linear_num_value_heads": 4}
    transform = Qwen3Next.from_config(config).transform("blk.{i}.attn_qkv.weight")
    with pytest.raises(ValueError, match="reshape"):
        applied(transform, np.zeros((rows, 3), np.float32))


def test_qwen2_audio_says_only_what_is_not_as_usual() -> None:
    """The text_config of Qwen2-Audio-7B, in full."""
    stated = {"intermediate_size": 11008, "max_position_embeddings": 8192, "rope_theta": 10000, "vocab_size": 156032}
    family = Qwen2Audio.from_config({"architectures": ["Qwen2AudioForConditionalGeneration"], **stated})
    assert (family.n_layer, family.n_embd, family.n_head, family.n_head_kv, family.n_ff) == (32, 4096, 32, 32, 11008)


@pytest.mark.parametrize("family", [Qwen2Omni, Qwen3Omni])
def test_thinkers_leave_out_ears_eyes_and_voice(family: type[Qwen2Omni] | type[Qwen3Omni]) -> None:
    rope = {"mrope_section": [4, 2, 2]}
    omni = family.from_config(CONFIG | MOE | {"rope_scaling": rope})
    names = (
        "thinker.visual.a",
        "thinker.audio_tower.a",
        "talker.a",
        "token2wav.a",
        "code2wav.a",
        "thinker.lm_head.weight",
    )
    assert [omni.drops(omni.canonical(name)) for name in names] == [True] * 5 + [False]


LAYER = "model.layers.0."
LINEAR = f"{LAYER}linear_attn."
SEEING = "model.language_model.layers.0.linear_attn."
WRONG = [
    ("qwen2_moe-fused", f"{LAYER}mlp.experts.gate_up_proj", [4, 63, 64]),
    ("qwen2_moe-fused", f"{LAYER}mlp.experts.down_proj", [4, 32, 64]),
    ("qwen2_moe", f"{LAYER}mlp.experts.1.up_proj.weight", [64, 32]),
    ("qwen3-reranker", "lm_head.weight", [1, 128]),
    ("qwen3_vl_moe", "model.language_model.layers.0.mlp.experts.gate_up_proj", [4, 64, 97]),
    ("qwen3_next", f"{LINEAR}in_proj_qkvz.weight", [191, 64]),
    ("qwen3_next", f"{LINEAR}in_proj_qkvz.weight", [192]),
    ("qwen3_next", f"{LINEAR}conv1d.weight", [128, 1, 3]),
    ("qwen3_5", f"{SEEING}in_proj_qkv.weight", [159, 64]),
    ("qwen3_5", f"{SEEING}in_proj_z.weight", [95, 64]),
    ("qwen3_5", f"{SEEING}out_proj.weight", [64, 80]),
    ("qwen3_5", f"{SEEING}conv1d.weight", [160, 1, 5]),
    ("qwen3_5", f"{SEEING}A_log", [5]),
    ("qwen3_5", "mtp.fc.weight", [64, 64]),
]


@pytest.mark.parametrize(("golden", "name", "shape"), WRONG)
def test_a_tensor_of_a_wrong_shape_is_named(golden: str, name: str, shape: list[int], tmp_path: Path) -> None:
    checkpoint = golden_checkpoint(golden)
    assert checkpoint["tensors"][name][1] != shape
    checkpoint["tensors"][name][1] = shape
    with pytest.raises(BadCheckpoint, match=re.escape(repr(name))):
        mapped(checkpoint, tmp_path)


MISSING = [
    ("qwen2_moe", f"{LAYER}mlp.experts.3.down_proj.weight", "mlp.experts.3.down_proj.weight"),
    ("qwen2_moe-fused", f"{LAYER}mlp.experts.down_proj", "mlp.experts.down_proj"),
    ("qwen3_next", f"{LINEAR}dt_bias", "dt_bias"),
    ("qwen3_next", "mtp.layers.0.self_attn.q_proj.weight", "model.layers.2.self_attn.q_proj.weight"),
    ("qwen3_5", "mtp.pre_fc_norm_hidden.weight", "model.layers.2.hnorm.weight"),
    ("qwen2", f"{LAYER}self_attn.k_proj.bias", "self_attn.k_proj.bias"),
]


@pytest.mark.parametrize(("golden", "name", "said"), MISSING)
def test_a_missing_tensor_is_named(golden: str, name: str, said: str, tmp_path: Path) -> None:
    checkpoint = golden_checkpoint(golden)
    del checkpoint["tensors"][name]
    with pytest.raises(BadCheckpoint, match=re.escape(f"{said}'.")):
        mapped(checkpoint, tmp_path)


def golden_checkpoint(name: str) -> dict[str, Any]:
    path = Path(__file__).parents[1] / "goldens" / f"{name}.json"
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["checkpoint"]
    return found


def mapped(checkpoint: dict[str, Any], parent: Path) -> None:
    opened = open_checkpoint(build_checkpoint(checkpoint, parent))
    family = find_family(opened.config)[1].from_config(opened.config, opened.tensors.keys())
    map_tensors(opened, family, opened.config["vocab_size"])
