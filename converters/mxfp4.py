"""Repacks weights that a checkpoint stores as MXFP4 for a GGUF file; no value changes.

Both forms hold 32 four-bit floats (E2M1) under one power of two (E8M0, a byte). A checkpoint has the scales in a
tensor of their own, and two neighbours share a byte, the first in its low bits; ggml's block begins with its scale,
and values 16 apart share a byte. Sources: HF integrations/mxfp4.py; ggml/src/ggml-common.h, block_mxfp4.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from converters.layout import Layout
from converters.quant_types import BLOCKS, GgmlType
from converters.transforms import Transform

Bytes = npt.NDArray[np.uint8]
_VALUES, _BLOCK_BYTES = BLOCKS[GgmlType.MXFP4]


def repacked(shape: tuple[int, ...], take: Callable[[Layout], Layout]) -> Transform:
    """Give the transform of stored blocks (..., blocks, 16), with their scales (..., blocks) as companion.

    shape: that of the stored weights as values; take: which of the rows are wanted, in the file's order."""

    def layout(whole: Layout) -> Layout:
        blocks = (*shape[:-1], shape[-1] // _VALUES)
        if shape[-1] % _VALUES or whole.shape not in (blocks, (*blocks, _VALUES // 2)):
            raise ValueError(f"no blocks of {shape}: {whole.shape}")
        taken = take(whole)
        return taken.shaped(*taken.shape[: len(shape) - 1], -1)

    return Transform(layout, packed=GgmlType.MXFP4, join=join_blocks)


def join_blocks(values: Bytes, scales: Bytes) -> Bytes:
    """Give ggml's blocks, (..., 17), of values (..., 16), two a byte, and scales (...)."""
    first, second = values[..., : _VALUES // 4], values[..., _VALUES // 4 :]
    joined = np.empty((*values.shape[:-1], _BLOCK_BYTES), dtype=np.uint8)
    joined[..., 0] = scales
    joined[..., 1::2] = first & 0x0F | second << 4
    joined[..., 2::2] = first >> 4 | second & 0xF0
    return joined
