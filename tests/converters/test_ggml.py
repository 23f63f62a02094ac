"""ggml's row kernels: widening, rounding and quantizing, into buffers of the caller's."""

import numpy as np
import numpy.typing as npt
import pytest

from converters.errors import BadCheckpoint
from converters.ggml import Kernels
from converters.quant_types import BLOCKS, FILE_TYPES, GgmlType, size_of

pytestmark = pytest.mark.native
T = GgmlType
EDGES = np.array(
    [0.0, -0.0, 1e-45, -1e-40, 6e-8, 2.9802322e-8, 2.98e-8, 6.1e-5, 1.0, 1 + 2**-11, 1 + 3 * 2**-11, 1 + 2**-8,
     1 + 3 * 2**-9, 65504.0, -65519.99, 3.0e4, -1e-38], dtype=np.float32,
)  # fmt: skip


@pytest.fixture(scope="module")
def kernels() -> Kernels:
    return Kernels()


def random_rows(n_rows: int, n_columns: int) -> npt.NDArray[np.float32]:
    return np.random.default_rng(5).standard_normal((n_rows, n_columns), dtype=np.float32)


def bf16_of(values: npt.NDArray[np.float32]) -> npt.NDArray[np.uint16]:
    bits = values.view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)


def test_every_16_bit_value_is_widened_exactly(kernels: Kernels) -> None:
    bits = np.arange(1 << 16, dtype=np.uint16)
    out = np.empty(1 << 16, dtype=np.float32)
    assert kernels.widen("BF16", bits.view(np.uint8), out) is out
    assert np.array_equal(out.view(np.uint32), bits.astype(np.uint32) << 16)
    kernels.widen("F16", bits.view(np.uint8), out)
    assert np.array_equal(out, bits.view(np.float16).astype(np.float32), equal_nan=True)


def test_float32_is_not_copied(kernels: Kernels) -> None:
    raw = bytearray(EDGES.tobytes())
    values = kernels.widen("F32", raw, np.empty(EDGES.shape, dtype=np.float32))
    raw[0] = 1
    assert values[0] != 0
    assert np.array_equal(values[1:], EDGES[1:])
    rows = random_rows(2, 8)
    assert np.shares_memory(kernels.quantize(T.F32, rows), rows)


@pytest.mark.parametrize("values", [EDGES, random_rows(1, 200_000)[0]], ids=["edges", "random"])
def test_16_bit_types_round_to_nearest_even_and_keep_denormals(
    values: npt.NDArray[np.float32], kernels: Kernels
) -> None:
    halves = kernels.quantize(T.F16, values.reshape(1, -1)).view(np.uint16)
    assert np.array_equal(halves, values.astype(np.float16).view(np.uint16))
    assert np.array_equal(kernels.quantize(T.BF16, values.reshape(1, -1)).view(np.uint16), bf16_of(values))


@pytest.mark.parametrize("kind", [T.F16, T.BF16])
def test_rounding_through_a_type_happens_in_place(kind: GgmlType, kernels: Kernels) -> None:
    rows = random_rows(3, 70_001)  # more than one scratch, and no whole number of them
    narrow = kernels.quantize(kind, rows)
    expected = kernels.widen(kind.name, narrow, rows.size).reshape(rows.shape)
    assert kernels.round_through(rows, kind) is rows
    assert np.array_equal(rows, expected)
    assert kernels.round_through(rows, T.F32) is rows
    assert np.array_equal(rows, expected)


@pytest.mark.parametrize("kind", sorted({kind.base for kind in FILE_TYPES.values()} | {T.MXFP4}))
def test_a_given_buffer_is_filled(kind: GgmlType, kernels: Kernels) -> None:
    rows = random_rows(3, 512)
    expected = kernels.quantize(kind, rows)
    assert expected.nbytes == size_of(kind, rows.shape) == 3 * 512 // BLOCKS[kind][0] * BLOCKS[kind][1]
    out = np.zeros_like(expected)
    given = kernels.quantize(kind, rows, out)
    assert given is out or kind is T.F32
    assert np.array_equal(given, expected)
    assert np.array_equal(kernels.quantize(kind, np.asfortranarray(rows)), expected)


@pytest.mark.parametrize(
    ("kind", "value", "hint"),
    [
        (T.F16, 65520.0, "Choose BF16 or F32."),
        (T.F16, -7e4, "Choose BF16 or F32."),
        (T.F16, float("nan"), "Choose BF16 or F32."),
        (T.BF16, 3.3961776e38, "Choose F32."),
        (T.Q8_0, 1e10, "Choose BF16 or F32."),
    ],
)
def test_a_value_beyond_the_type_is_refused(kind: GgmlType, value: float, hint: str, kernels: Kernels) -> None:
    rows = random_rows(2, 256)
    rows[1, 3] = value
    with pytest.raises(BadCheckpoint, match=f"does not fit {kind.name}") as failure:
        kernels.quantize(kind, rows)
    assert failure.value.hint == hint
    if kind in (T.F16, T.BF16):
        with pytest.raises(BadCheckpoint, match=f"does not fit {kind.name}"):
            kernels.round_through(rows, kind)
