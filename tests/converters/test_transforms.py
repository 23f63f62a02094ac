"""The pure steps on rows."""

import math

import numpy as np
import pytest

from converters.errors import BadCheckpoint
from converters.transforms import Llama3Rope, llama3_rope_factors, rope_pairs
from tests.support.checkpoints import halves_from_pairs

ROPE = Llama3Rope(theta=500000.0, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_context=8192)


def test_rope_pairs_interleaves_the_halves_of_each_head() -> None:
    rows = np.arange(12, dtype=np.float32).reshape(12, 1)
    assert rope_pairs(6).apply(rows).ravel().tolist() == [0, 3, 1, 4, 2, 5, 6, 9, 7, 10, 8, 11]


def test_rope_pairs_is_undone_by_its_inverse() -> None:
    rows = np.random.default_rng(1).standard_normal((96, 8), dtype=np.float32)
    assert np.array_equal(halves_from_pairs(rope_pairs(32).apply(rows), 3), rows)


def test_rope_pairs_may_be_streamed_head_by_head() -> None:
    rows = np.random.default_rng(2).standard_normal((96, 8), dtype=np.float32)
    step = rope_pairs(32)
    assert np.array_equal(np.concatenate([step.apply(rows[i : i + 32]) for i in (0, 32, 64)]), step.apply(rows))


def test_rope_pairs_needs_even_heads() -> None:
    with pytest.raises(BadCheckpoint):
        rope_pairs(7)


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
