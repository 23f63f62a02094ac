"""The pure steps on rows."""

import math

import numpy as np
import pytest

from converters.errors import BadCheckpoint
from converters.transforms import (
    NORM_PLUS_ONE,
    Llama3Rope,
    Transform,
    half,
    llama3_rope_factors,
    negated_exp,
    rope_halves,
    rope_pairs,
    squeeze,
)
from tests.support.checkpoints import halves_from_pairs
from tests.support.transforming import applied

ROPE = Llama3Rope(theta=500000.0, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_context=8192)


def test_rope_pairs_interleaves_the_halves_of_each_head() -> None:
    rows = np.arange(12, dtype=np.float32).reshape(12, 1)
    assert applied(rope_pairs(6), rows).ravel().tolist() == [0, 3, 1, 4, 2, 5, 6, 9, 7, 10, 8, 11]


def test_rope_pairs_is_undone_by_its_inverse() -> None:
    rows = np.random.default_rng(1).standard_normal((96, 8), dtype=np.float32)
    assert np.array_equal(halves_from_pairs(applied(rope_pairs(32), rows), 3), rows)


def test_rope_pairs_may_be_streamed_head_by_head() -> None:
    rows = np.random.default_rng(2).standard_normal((96, 8), dtype=np.float32)
    step = rope_pairs(32)
    assert np.array_equal(applied(step, rows, 300), applied(step, rows))


def test_rope_pairs_needs_even_heads() -> None:
    with pytest.raises(BadCheckpoint):
        rope_pairs(7)


def test_pairs_become_halves_within_the_rotary_rows_of_each_head() -> None:
    rows_of_heads = np.arange(2 * 6, dtype=np.float32)
    halves = [0, 2, 1, 3, 4, 5, 6, 8, 7, 9, 10, 11]
    assert applied(rope_halves(6, 4), rows_of_heads).tolist() == halves
    matrix = np.arange(2 * 6 * 5, dtype=np.float32).reshape(12, 5)
    assert np.array_equal(applied(rope_halves(6, 4), matrix, 5), matrix[halves])
    assert np.array_equal(applied(rope_halves(6, 6), rows_of_heads)[:6], [0, 2, 4, 1, 3, 5])
    with pytest.raises(ValueError, match="reshape"):
        applied(rope_halves(6, 4), rows_of_heads[:10])


def test_halves_of_fused_experts() -> None:
    fused = np.arange(2 * 6 * 4, dtype=np.float32).reshape(2, 6, 4)
    assert np.array_equal(applied(half(0), fused, 4), fused[:, :3])
    assert np.array_equal(applied(half(1), fused, 4), fused[:, 3:])
    with pytest.raises(BadCheckpoint):
        applied(half(0), fused[:, :5])


def test_norms_plus_one_and_decays() -> None:
    stored = np.array([-1.0, 0.0, 2.5], dtype=np.float32)
    assert applied(NORM_PLUS_ONE, stored).tolist() == [0.0, 1.0, 3.5]
    decays = [-0.36787944117, -1.0, -12.1824939607]
    assert np.array_equal(applied(Transform(values=negated_exp), stored), np.array(decays, dtype=np.float32))


def test_a_kernel_loses_its_axis_of_one() -> None:
    kernel = np.arange(12, dtype=np.float32).reshape(3, 1, 4)
    assert np.array_equal(applied(squeeze(1), kernel), kernel[:, 0])
    with pytest.raises(BadCheckpoint):
        applied(squeeze(0), kernel)


def test_llama3_factors_follow_the_paper_formula() -> None:
    expected = []
    for i in range(64):
        wavelength = 2 * math.pi * ROPE.theta ** (2 * i / 128)
        smooth = min(1.0, max(0.0, (8192 / wavelength - 1) / 3))
        expected.append(1 / ((1 - smooth) / 8 + smooth))
    factors = llama3_rope_factors(ROPE, 128)
    assert factors.dtype == np.float32
    assert np.allclose(factors, expected, rtol=2e-6)
    assert (factors == 1).sum() > 20
    assert (factors == 8).sum() > 20
