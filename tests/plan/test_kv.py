"""Caches against llama.cpp's own numbers."""

from dataclasses import replace

import pytest

from app.core.errors import BadRequest
from app.devices.values import Gpu
from app.library.facts import ModelFacts
from app.plan.kv import cache_bytes, kv_types, layer_caches
from app.plan.planner import make_plan
from app.plan.request import check_request
from app.plan.values import Candidate, KvType, PlanRequest
from app.plan.weights import HOST_PADDING, Padding
from tests.support.facts import dense, model
from tests.support.machines import machine

MIB = 2**20


def cache(facts: ModelFacts, context: int, kv_type: KvType = "f16", parallel: int = 1) -> int:
    candidate = Candidate(0, context, kv_type, parallel=parallel)
    return sum(cache_bytes(layer, candidate, HOST_PADDING) for layer in layer_caches(facts))


def gemma3() -> ModelFacts:
    """Gemma 3 270M: 18 layers, one KV head of 256, window 512, every sixth layer full."""
    return model(
        "gemma3",
        18,
        262144,
        32768,
        [],
        embedding_length=640,
        attention__head_count=4,
        attention__head_count_kv=1,
        attention__key_length=256,
        attention__value_length=256,
        attention__sliding_window=512,
    )


def test_llama_8b() -> None:
    # llama.cpp: "size = 1024.00 MiB (8192 cells, 32 layers)" for f16, 544 MiB for q8_0, 288 MiB for q4_0.
    assert cache(dense(), 8192) == 1024 * MIB
    assert cache(dense(), 8192, "q8_0") == 544 * MIB
    assert cache(dense(), 8192, "q4_0") == 288 * MIB


def test_context_is_padded_to_256() -> None:
    assert cache(dense(), 8000) == cache(dense(), 8192)


def test_sliding_window() -> None:
    # Measured with llama.cpp: 22,020,096 bytes at 2,048 tokens; 25,485,312 with q8_0, 4,096 and 4 sequences.
    assert cache(gemma3(), 2048) == 22_020_096
    candidate = Candidate(0, 4096, "q8_0", n_ubatch=256, parallel=4)
    assert sum(cache_bytes(layer, candidate, HOST_PADDING) for layer in layer_caches(gemma3())) == 25_485_312


def test_pattern_in_the_file_wins() -> None:
    facts = gemma3()
    listed = model(
        "gemma3", 18, 1, 32768, [], **_keys(facts), attention__sliding_window_pattern=(True,) * 17 + (False,)
    )
    assert [layer.window for layer in layer_caches(listed)] == [512] * 17 + [0]


def _keys(facts: ModelFacts) -> dict[str, object]:
    return {key.removeprefix("gemma3.").replace(".", "__"): value for key, value in facts.metadata.items()}


def test_latent_attention_keeps_no_values() -> None:
    keys = {"attention__head_count": 128, "attention__head_count_kv": 1, "attention__key_length": 576}
    facts = model(
        "deepseek2", 61, 1, 4096, [], embedding_length=7168, attention__value_length=512, **keys,
        attention__key_length_mla=192, attention__value_length_mla=128,
    )  # fmt: skip
    assert cache(facts, 4096) == 61 * 4096 * 576 * 2


def test_recurrent_state_does_not_grow_with_context() -> None:
    facts = model(
        "mamba2", 24, 1, 1 << 20, [], embedding_length=768, ssm__conv_kernel=4, ssm__inner_size=1536,
        ssm__state_size=128, ssm__group_count=1,
    )  # fmt: skip
    state = 4 * (3 * (1536 + 2 * 128) + 128 * 1536)
    assert cache(facts, 4096) == cache(facts, 65536) == 24 * state
    assert cache(facts, 4096, parallel=4) == 24 * 4 * state


def test_layers_without_kv_heads_keep_a_state() -> None:
    facts = model(
        "lfm2", 4, 1, 32768, [], embedding_length=1024, shortconv__l_cache=3, attention__head_count=16,
        attention__head_count_kv=(0, 8, 0, 8),
    )  # fmt: skip
    assert cache(facts, 4096) == 2 * 4 * 1024 * 2 + 2 * 4096 * (8 * 64 * 2) * 2


@pytest.mark.parametrize(("width", "extra"), [(512, 0), (576, 448 // 32 * 34), (384, 128 // 32 * 34)])
def test_cuda_fills_up_quantized_rows(width: int, extra: int) -> None:
    keys = {"attention__head_count": 1, "attention__head_count_kv": 1, "attention__key_length": width}
    facts = model("llama", 1, 1, 4096, [], embedding_length=width, attention__value_length=width, **keys)
    layer = layer_caches(facts)[0]
    candidate = Candidate(1, 4096, "q8_0")
    plain = cache_bytes(layer, candidate, HOST_PADDING)
    padded = cache_bytes(layer, candidate, Padding(128, 512))
    assert padded - plain == 2 * -(-extra // 128) * 128


def odd_heads() -> ModelFacts:
    """Return Llama 8B with 80 numbers a head, as Phi-2 and StableLM have."""
    facts = dense()
    return replace(facts, metadata={**facts.metadata, "llama.attention.key_length": 80})


def test_heads_that_fill_no_blocks_keep_f16() -> None:
    assert kv_types(dense()) == ("f16", "q8_0", "q4_0")
    assert kv_types(odd_heads()) == kv_types(replace(dense(), architecture="grok")) == ("f16",)
    with pytest.raises(BadRequest, match="cannot be q8_0"):
        check_request(PlanRequest(kv_type="q8_0"), odd_heads())
    request = PlanRequest(context=32768)
    card = replace(machine(), gpus=(Gpu("GPU0", "x", "cuda", 6 * 10**9, 6 * 10**9),))
    assert make_plan(dense(), card, request).kv_type == "q8_0"
    assert make_plan(odd_heads(), card, request).kv_type == "f16"
