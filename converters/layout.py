"""Where the values of one tensor lie within a stored one: a numpy-like view that is planned with and never read."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from types import EllipsisType

import numpy as np
import numpy.typing as npt

Index = int | slice | EllipsisType
_STAND_IN = np.zeros(1, dtype=np.uint8)  # its one byte is never looked at: numpy only does the arithmetic of strides


@dataclass(frozen=True)
class Layout:
    """A view of a stored tensor: strides and offset count values; final is the shape it is said to have, if another."""

    shape: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int = 0
    final: tuple[int, ...] | None = None

    @classmethod
    def of(cls, shape: tuple[int, ...]) -> Layout:
        """Give the view of a whole stored tensor, in row-major order."""
        strides = tuple(math.prod(shape[axis + 1 :]) for axis in range(len(shape)))
        return cls(tuple(shape), strides)

    @property
    def n_values(self) -> int:
        """Values that the view shows."""
        return math.prod(self.shape)

    @property
    def final_shape(self) -> tuple[int, ...]:
        """The shape of the values once they are copied out, row-major."""
        return self.final or self.shape

    @property
    def span(self) -> tuple[int, int]:
        """The first value of the stored tensor that the view touches, and one behind the last."""
        last = sum((length - 1) * stride for length, stride in zip(self.shape, self.strides, strict=True))
        return self.offset, self.offset + last + 1

    def reshape(self, *shape: int) -> Layout:
        """Split or join axes as numpy does; raises ValueError where that would need a copy."""
        return self._like(np.reshape(self._stand_in(), shape, copy=False))

    def swapaxes(self, one: int, other: int) -> Layout:
        """Exchange two axes."""
        return self._like(self._stand_in().swapaxes(one, other))

    def __getitem__(self, key: Index | tuple[Index, ...]) -> Layout:
        """Take a part, by indices and slices."""
        keys = key if isinstance(key, tuple) else (key,)
        whole = keys if Ellipsis in keys else (*keys, Ellipsis)  # so that numpy gives a view, never a read value
        return self._like(self._stand_in()[whole])

    def shaped(self, *final: int) -> Layout:
        """Say which shape the values have once they are copied out; -1 stands for what is left."""
        if -1 in final:
            known = math.prod(length for length in final if length != -1)
            final = tuple(self.n_values // known if length == -1 else length for length in final)
        if math.prod(final) != self.n_values:
            raise ValueError(f"{self.n_values} values cannot have shape {final}")
        return Layout(self.shape, self.strides, self.offset, final)

    def cuts(self, max_values: int, multiple: int) -> Iterator[tuple[Index, ...]]:
        """Give the keys that cut the view into parts of at most max_values values where it can be cut, in order.

        Each part holds a multiple of `multiple` values; and no two touch the same stretch of the stored tensor, unless
        the whole is one stretch that cannot be cut. The keys concern the first axes only."""
        if not self._can_cut(multiple):
            yield (...,)
            return
        unit = math.prod(self.shape[1:])
        if unit > max_values and self[0]._can_cut(multiple):
            for index in range(self.shape[0]):
                yield from ((index, *key) for key in self[index].cuts(max_values, multiple))
            return
        step = max(1, max_values // unit)
        yield from ((slice(first, first + step),) for first in range(0, self.shape[0], step))

    def read_from(self, values: npt.NDArray[np.generic], start: int) -> npt.NDArray[np.generic]:
        """Give the view's values out of a stretch of the stored tensor that begins at value `start`, without a copy."""
        size = values.itemsize
        strides = tuple(stride * size for stride in self.strides)
        return np.lib.stride_tricks.as_strided(values[self.offset - start :], self.shape, strides, writeable=False)

    def _can_cut(self, multiple: int) -> bool:
        """Whether parts along the first axis follow each other in the stored tensor and hold whole rows."""
        if not self.shape:
            return False
        first, last = self[0].span
        return self.strides[0] >= last - first and math.prod(self.shape[1:]) % multiple == 0

    def _stand_in(self) -> npt.NDArray[np.uint8]:
        return np.lib.stride_tricks.as_strided(_STAND_IN, self.shape, self.strides, writeable=False)

    def _like(self, view: npt.NDArray[np.uint8]) -> Layout:
        moved = view.__array_interface__["data"][0] - _STAND_IN.__array_interface__["data"][0]
        return Layout(view.shape, view.strides, self.offset + moved)
