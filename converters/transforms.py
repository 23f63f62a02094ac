"""The pure steps that turn tensors of a checkpoint into tensors of a GGUF file; shared by the families."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from converters.errors import BadCheckpoint
from converters.layout import Layout
from converters.quant_types import GgmlType

Array = npt.NDArray[np.float32]
Raw = npt.NDArray[np.generic]
Layouts = Layout | Sequence[Layout]


def as_stored(whole: Layout) -> Layout:
    """Leave every value where it is."""
    return whole


@dataclass(frozen=True)
class Transform:
    """How a tensor of the file comes out of a stored one.

    layout: the stored tensor's view to the views whose values follow each other in the file's tensor.
    values: an elementwise step on float32, or None.
    packed: the type that join packs the raw stored values to, for tensors that stay as they are packed; join gets one
    raw array for the stored tensor and one for each of its companions (Family.COMPANIONS), each cut by the same layout
    along its first axes, and gives uint8 rows in the file's order.
    """

    layout: Callable[[Layout], Layouts] = as_stored
    values: Callable[[Array], Array] | None = None
    packed: GgmlType | None = None
    join: Callable[..., npt.NDArray[np.uint8]] | None = None


IDENTITY = Transform()


def rope_pairs(head_dim: int) -> Transform:
    """Reorder rotary rows from HF halves to GGUF pairs, head by head; the shape stays.

    Raises BadCheckpoint for an odd head_dim. Source: HF modeling_llama, rotate_half; llama.cpp LlamaModel.permute."""
    if head_dim < 2 or head_dim % 2:
        raise BadCheckpoint(f"Rotary heads of {head_dim} rows cannot be split into pairs.")

    def interleave(whole: Layout) -> Layout:
        heads = whole.reshape(-1, 2, head_dim // 2, *whole.shape[1:])
        return heads.swapaxes(1, 2).shaped(*whole.shape)

    return Transform(interleave)


def rope_halves(head_dim: int, n_rot: int) -> Transform:
    """Reorder the first n_rot rows of each head from pairs to halves: the even ones, then the odd ones.

    Source: llama.cpp conversion/glm.py, normal_to_neox."""

    def separate(whole: Layout) -> list[Layout]:
        heads = whole.reshape(-1, head_dim, *whole.shape[1:])
        cuts = (slice(0, n_rot, 2), slice(1, n_rot, 2), slice(n_rot, head_dim))
        kept = [cut for cut in cuts if cut.start < head_dim]
        return [heads[i, cut] for i in range(heads.shape[0]) for cut in kept]

    return Transform(separate)


def rows(first: int, stop: int) -> Transform:
    """Take some rows: the whole tensors of a fused one that follow each other along the first axis."""
    return Transform(lambda whole: whole[first:stop])


def half(index: int, axis: int = -2) -> Transform:
    """Take the first (0) or second (1) half along an axis, as of gate_up_proj in a stack of experts."""

    def take(whole: Layout) -> Layout:
        length = whole.shape[axis]
        if length % 2:
            raise BadCheckpoint(f"A fused tensor of shape {list(whole.shape)} cannot be halved.")
        chosen = slice(index * (length // 2), (index + 1) * (length // 2))
        keys = [slice(None)] * len(whole.shape)
        keys[axis] = chosen
        return whole[tuple(keys)]

    return Transform(take)


def squeeze(axis: int) -> Transform:
    """Leave out an axis of length one, as of a one-dimensional convolution's kernel."""

    def take(whole: Layout) -> Layout:
        if whole.shape[axis] != 1:
            raise BadCheckpoint(f"A kernel of shape {list(whole.shape)} has no axis of one to leave out.")
        kept = list(whole.shape)
        del kept[axis]
        return whole.reshape(*kept)

    return Transform(take)


def plus_one(values: Array) -> Array:
    """Add the one that some norms leave out of their stored weights."""
    return values + np.float32(1)


def negated_exp(values: Array) -> Array:
    """Give -exp(x): the decay of a state space model out of its stored logarithm.

    Rounded from float64: numpy's float32 exp is off in the last bit for four values of ten, and not alike on all CPUs.
    """
    return -np.exp(values.astype(np.float64)).astype(np.float32)


NORM_PLUS_ONE = Transform(values=plus_one)


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

    In float32 as torch has it for llama.cpp's converter (conversion/llama.py, generate_extra_tensors): a power is
    rounded once, and a number divided by a tensor is the tensor's reciprocal times the number."""
    exponents = np.arange(0, head_dim, 2, dtype=np.float32) / np.float32(head_dim)
    powers = np.power(np.float64(np.float32(rope.theta)), exponents.astype(np.float64)).astype(np.float32)
    return np.array([_llama3_factor(rope, _divided(1, power)) for power in powers], dtype=np.float32)


def _divided(number: float, value: np.float32) -> np.float32:
    return np.float32(1) / value * np.float32(number)


def _llama3_factor(rope: Llama3Rope, frequency: np.float32) -> np.float32 | float:
    wavelength = _divided(2 * math.pi, frequency)
    if wavelength < rope.original_context / rope.high_freq_factor:
        return 1.0
    if wavelength > rope.original_context / rope.low_freq_factor:
        return rope.factor
    span = rope.high_freq_factor - rope.low_freq_factor
    smooth = (_divided(rope.original_context, wavelength) - rope.low_freq_factor) / span
    return _divided(1, (1 - smooth) / rope.factor + smooth)
