"""The table of types: its rules by hand, and the whole of it against llama.cpp's own dry run."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from converters import native_check
from converters.events import Cancel
from converters.helper import Helper
from converters.quant_rules import choose
from converters.quant_types import (
    FILE_TYPES,
    UNQUANTIZED,
    GgmlType,
    ModelSizes,
    file_order,
    header_number,
    size_of,
    sizes_from_metadata,
    wide_type,
)
from converters.safetensors_header import StoredTensor
from converters.values import i32s, text, u32
from tests.support.counts import counted
from tests.support.header_models import all_models, real_models
from tests.support.headers import ARCHITECTURES, Model, kept_of, metadata_of, shapes_of, tensors_of

T = GgmlType
SEED = 3


@pytest.fixture
def helper() -> Iterator[Helper]:
    with Helper(Cancel()) as helper:
        yield helper


def sampled_models() -> list[Model]:
    """Give a seeded share of the headers, with at least one of every architecture."""
    models = all_models()
    chosen = random.Random(SEED).sample(models, counted(len(models)))
    missing = ARCHITECTURES.keys() - {model.architecture for model in chosen}
    return chosen + list({model.architecture: model for model in models if model.architecture in missing}.values())


@pytest.mark.native
def test_the_table_agrees_with_the_library_on_every_architecture(helper: Helper) -> None:
    kinds = list(FILE_TYPES.values())
    disagreements = []
    for n, model in enumerate(sampled_models()):
        sources = tensors_of(model)
        metadata = metadata_of(model)
        kept = dict.fromkeys(kept_of(model), T.MXFP4)
        wide = (T.BF16, T.F16)[n % 2]
        types, warnings = native_check.choose_types(
            kinds, sizes_from_metadata(metadata), metadata, sources, wide, helper, kept
        )
        disagreements += [f"{model.name}: {warning}" for warning in warnings]
        assert [len(chosen) for chosen in types] == [len(sources)] * len(kinds)
    assert disagreements == []


@pytest.mark.parametrize("label", ["Llama 3.3 70B", "Qwen2.5 72B", "SmolLM2 135M", "Mixtral 8x7B", "gpt-oss 20B"])
@pytest.mark.native
def test_the_table_agrees_on_sizes_that_made_trouble(label: str, helper: Helper) -> None:
    (model,) = [model for model in real_models() if model.label == label]
    sources = tensors_of(model)
    metadata = metadata_of(model)
    kinds = list(FILE_TYPES.values())
    kept = dict.fromkeys(kept_of(model), T.MXFP4)
    types, warnings = native_check.choose_types(
        kinds, sizes_from_metadata(metadata), metadata, sources, T.BF16, helper, kept
    )
    assert warnings == []
    assert all(chosen[name] is T.MXFP4 for chosen in types for name in kept)


def test_sizes_come_from_the_metadata() -> None:
    metadata = {
        "general.architecture": text("lfm2"), "lfm2.block_count": u32(16), "lfm2.attention.head_count": u32(32),
        "lfm2.attention.head_count_kv": i32s([0, 0, 8]), "lfm2.nextn_predict_layers": u32(1),
    }  # fmt: skip
    sizes = sizes_from_metadata(metadata)
    assert sizes == ModelSizes("lfm2", 16, 32, 0, 0, 1)
    assert sizes.gqa == 0
    assert sizes_from_metadata({"general.architecture": text("x"), "x.attention.head_count": u32(8)}).n_head_kv == 8


def test_layers_of_next_token_prediction_do_not_make_a_70b() -> None:
    assert ModelSizes("qwen2", 80, 64, 8).is_70b
    assert ModelSizes("qwen2", 81, 64, 8, n_layer_nextn=1).is_70b
    assert not ModelSizes("qwen2", 80, 64, 8, n_layer_nextn=1).is_70b
    assert not ModelSizes("llama", 80, 64, 64).is_70b
    assert not ModelSizes("qwen3", 80, 64, 8).is_70b


def test_odd_widths_fall_back() -> None:
    model = Model("llama", 4, 272, 544, 8, 2)
    types = choose(FILE_TYPES["Q4_K_M"], sizes_from_metadata(metadata_of(model)), shapes_of(model), T.BF16)
    assert types["blk.0.attn_q.weight"] is T.F16  # 272 is no multiple of 32 either
    assert types["blk.1.ffn_down.weight"] is T.Q5_0
    assert types["blk.3.ffn_down.weight"] is T.Q8_0
    types = choose(FILE_TYPES["IQ4_XS"], sizes_from_metadata(metadata_of(model)), shapes_of(model), T.BF16)
    assert types["blk.1.ffn_down.weight"] is T.IQ4_NL


def test_unquantized_types_keep_norms_and_vectors_in_f32() -> None:
    model = Model("llama", 4, 256, 512, 4, 2, n_expert=8)
    for name in UNQUANTIZED:
        types = choose(FILE_TYPES[name], sizes_from_metadata(metadata_of(model)), shapes_of(model), T.F16)
        assert types["blk.0.attn_norm.weight"] is T.F32
        assert types["blk.0.ffn_gate_inp.weight"] is T.F32
        assert types["blk.0.attn_q.weight"] is T[name]


@pytest.mark.parametrize(
    ("name", "shape", "unquantized", "quantized"),
    [
        ("blk.0.ssm_conv1d.weight", (2048, 4), T.F32, T.F32),
        ("blk.0.shortconv.conv.weight", (1024, 3), T.F32, T.F32),
        ("blk.0.altup_predict_coef.weight", (16, 4), T.F32, T.F32),
        ("blk.0.altup_router.weight", (4, 2048), T.BF16, T.BF16),
        ("blk.0.laurel_l.weight", (64, 2048), T.BF16, T.BF16),
        ("per_layer_model_proj.weight", (8960, 2048), T.BF16, T.BF16),
        ("altup_proj.weight", (3, 2048, 2048), T.BF16, T.BF16),
        ("blk.0.ffn_gate_inp_shexp.weight", (1, 2048), T.F32, T.F32),
        ("blk.0.ffn_gate_inp_shexp.weight", (4, 2048), T.F32, T.Q4_K),  # the quantizer does not know this name
        ("blk.0.attn_x.weight", (1, 2048), T.BF16, T.BF16),  # ggml sees one dimension
        ("blk.0.indexer.proj.weight", (64, 2048), T.F32, T.Q4_K),
        ("blk.0.indexer.k_proj.weight", (64, 2048), T.BF16, T.BF16),
        ("blk.0.attn_k_b.weight", (16, 512, 128), T.BF16, T.Q5_0),
        ("blk.0.ssm_a", (64, 1), T.F32, T.F32),
        ("blk.0.time_mix_w1.weight", (160, 2048), T.F32, T.F32),
    ],
)
def test_small_and_odd_tensors(name: str, shape: tuple[int, ...], unquantized: GgmlType, quantized: GgmlType) -> None:
    shapes = {name: shape, "output.weight": (1000, 2048)}
    model = ModelSizes("llama", 1, 16, 16)
    assert choose(FILE_TYPES["BF16"], model, shapes, T.BF16)[name] is unquantized
    assert choose(FILE_TYPES["Q4_K_S"], model, shapes, T.BF16)[name] is quantized


def stored(name: str, dtype: str, *shape: int, file: str = "model.safetensors") -> StoredTensor:
    return StoredTensor(name, dtype, shape, Path(file), 0, 0)


def test_the_wide_type_is_the_first_16_bit_matrix_by_file_and_name() -> None:
    vector, single = stored("a", "BF16", 8), stored("b", "F32", 8, 8)
    assert wide_type([vector, single, stored("d", "BF16", 8, 8), stored("c", "F16", 8, 8)]) is T.F16
    assert wide_type([stored("a", "F16", 8, 8, file="2"), stored("b", "BF16", 8, 8, file="1")]) is T.BF16
    assert wide_type([vector, single]) is T.F16


def test_an_unquantized_file_with_mxfp4_experts_says_so() -> None:
    assert header_number(FILE_TYPES["BF16"], [T.BF16, T.MXFP4]) == 38
    assert header_number(FILE_TYPES["BF16"], [T.BF16]) == 32
    assert header_number(FILE_TYPES["Q4_K_M"], [T.Q4_K, T.MXFP4]) == 15


def test_tensors_stand_in_the_order_of_their_blocks() -> None:
    names = ["blk.10.attn_k.weight", "blk.9.attn_k.weight", "output_norm.weight", "blk.9.attn_norm.weight"]
    assert sorted(names, key=file_order) == [names[2], names[1], names[3], names[0]]


def test_sizes_count_whole_blocks() -> None:
    assert size_of(T.Q4_K, (2, 512)) == 2 * 2 * 144
    assert size_of(T.Q8_0, (3, 4, 64)) == 12 * 2 * 34
    assert size_of(T.IQ4_XS, (2, 512)) == 2 * 2 * 136
    assert size_of(T.MXFP4, (3, 64)) == 3 * 2 * 17
    assert size_of(T.F32, (5,)) == 20
