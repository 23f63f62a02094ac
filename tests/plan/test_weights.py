"""Where tensors go and what they take there."""

import re

import pytest

from app.plan.estimate import spans_of
from app.plan.values import Candidate
from app.plan.weights import HOST_PADDING, Padding, expert_pattern, moved_layers, stored_bytes, weigh
from tests.support.facts import F32, Q8_0, dense, experts, model, tensor

CUDA = Padding(128, 512)


def test_groups_of_a_dense_model() -> None:
    facts = dense(n_layers=2)
    weights = weigh(facts, HOST_PADDING)
    by_name = {t.name: t.size_bytes for t in facts.tensors}
    assert weights.input_bytes == by_name["token_embd.weight"]
    assert weights.output_bytes == by_name["output.weight"] + by_name["output_norm.weight"]
    assert weights.shared_bytes == by_name["rope_freqs.weight"]
    assert sum(weights.layers) + weights.input_bytes + weights.output_bytes + weights.shared_bytes == facts.size_bytes
    assert weights.tied_bytes == weights.expert_bytes == 0


def test_tied_embedding_is_doubled_at_the_output() -> None:
    embedding = tensor("token_embd.weight", (1024, 1000), Q8_0)
    facts = model("llama", 1, 1000, 4096, [embedding, tensor("blk.0.attn_norm.weight", (1024,), F32)])
    weights = weigh(facts, HOST_PADDING)
    assert weights.tied_bytes == weights.output_bytes == embedding.size_bytes == weights.input_bytes


def test_cuda_fills_quantized_rows_up_to_512() -> None:
    row = tensor("blk.0.attn_k.weight", (576, 10), Q8_0)
    extra = (1024 - 576) // 32 * 34
    assert stored_bytes(row, CUDA) == -(-(row.size_bytes + extra) // 128) * 128
    assert stored_bytes(tensor("blk.0.attn_norm.weight", (576,), F32), CUDA) == 576 * 4


def test_expert_pattern_names_experts_only() -> None:
    pattern = expert_pattern([3, 14])
    assert re.search(pattern, "blk.3.ffn_up_exps.weight")
    assert re.search(pattern, "blk.14.ffn_down_exps.weight")
    assert re.search(pattern, "blk.14.ffn_gate_up_exps.weight")
    for other in (
        "blk.1.ffn_up_exps.weight",
        "blk.3.ffn_up_shexp.weight",
        "blk.3.attn_q.weight",
        "blk.31.ffn_up_exps.weight",
    ):
        assert not re.search(pattern, other)
    assert moved_layers(pattern, 20) == {3, 14}
    assert moved_layers("ffn_.*_exps", 3) == {0, 1, 2}


@pytest.mark.parametrize(
    "layers",
    [{7}, set(range(10)), set(range(13, 94)), set(range(95, 131)), {0, 9, 10, 100, 101}, set(range(130)), set()],
)
def test_expert_pattern_names_its_layers_alone(layers: set[int]) -> None:
    pattern = expert_pattern(layers)
    assert {n for n in range(1100) if re.search(pattern, f"blk.{n}.ffn_gate_exps.weight")} == layers
    assert moved_layers(pattern, 200) == layers


def test_experts_are_counted_apart() -> None:
    facts = experts(n_layers=2)
    weights = weigh(facts, HOST_PADDING)
    assert all(0 < e < whole for e, whole in zip(weights.experts, weights.layers, strict=True))


def test_spans_follow_llama_cpp() -> None:
    def places(candidate: Candidate, n_gpus: int) -> list[int]:
        spans = spans_of(candidate, 8, n_gpus)
        out = [-1] * 9
        for index, span in enumerate(spans.gpus):
            for layer in range(span.start, span.end):
                out[layer] = index
            if span.has_output:
                out[8] = index
        assert spans.host.blocks == out[:8].count(-1)
        return out

    assert places(Candidate(0, 256), 1) == [-1] * 9
    assert places(Candidate(1, 256), 1) == [-1] * 8 + [0]
    assert places(Candidate(9, 256), 1) == [0] * 9
    assert places(Candidate(6, 256, tensor_split=(2, 4)), 2) == [-1] * 3 + [0] * 2 + [1] * 4
    assert places(Candidate(9, 256, tensor_split=(0, 9)), 2) == [1] * 9
    assert places(Candidate(9, 256, tensor_split=(3, 0, 6)), 3) == [0] * 3 + [2] * 6
    assert places(Candidate(5, 256), 0) == [-1] * 9
