"""The pure steps that turn rows of a checkpoint into rows of a GGUF tensor; shared by the families."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from converters.errors import BadCheckpoint

Array = npt.NDArray[np.float32]


@dataclass(frozen=True)
class RowTransform:
    """A step on whole groups of rows, so that a tensor can be streamed in any multiple of group_rows."""

    group_rows: int
    apply: Callable[[Array], Array]


IDENTITY = RowTransform(1, lambda rows: rows)


def rope_pairs(head_dim: int) -> RowTransform:
    """Reorder rotary rows from HF halves to GGUF pairs, head by head.

    Raises BadCheckpoint for an odd head_dim. Source: HF modeling_llama, rotate_half; llama.cpp LlamaModel.permute."""
    if head_dim < 2 or head_dim % 2:
        raise BadCheckpoint(f"Rotary heads of {head_dim} rows cannot be split into pairs.")

    def interleave(rows: Array) -> Array:
        heads = rows.reshape(-1, 2, head_dim // 2, *rows.shape[1:])
        return np.ascontiguousarray(heads.swapaxes(1, 2)).reshape(rows.shape)

    return RowTransform(head_dim, interleave)


@dataclass(frozen=True)
class Llama3Rope:
    """The parameters of rope_type llama3 in config.json."""

    theta: float
    factor: float
    low_freq_factor: float
    high_freq_factor: float
    original_context: int


def llama3_rope_factors(rope: Llama3Rope, head_dim: int) -> Array:
    """Give what each rotary frequency is divided by: (head_dim / 2,) F32.

    All steps stay in float32, as in llama.cpp's converter (conversion/llama.py, generate_extra_tensors)."""
    exponents = np.arange(0, head_dim, 2, dtype=np.float32) / np.float32(head_dim)
    frequencies = np.float32(1.0) / np.power(np.float32(rope.theta), exponents, dtype=np.float32)
    return np.array([_llama3_factor(rope, frequency) for frequency in frequencies], dtype=np.float32)


def _llama3_factor(rope: Llama3Rope, frequency: np.float32) -> np.float32 | float:
    wavelength = 2 * math.pi / frequency
    if wavelength < rope.original_context / rope.high_freq_factor:
        return 1.0
    if wavelength > rope.original_context / rope.low_freq_factor:
        return rope.factor
    span = rope.high_freq_factor - rope.low_freq_factor
    smooth = (rope.original_context / wavelength - rope.low_freq_factor) / span
    return 1 / ((1 - smooth) / rope.factor + smooth)
