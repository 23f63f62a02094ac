"""Views of stored tensors: the same arithmetic as numpy's, cut without overlap."""

from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest

from converters.layout import Layout

STORED = np.arange(4 * 6 * 8).reshape(4, 6, 8)
WHOLE = Layout.of(STORED.shape)
VIEWS = {
    "whole": (WHOLE, STORED),
    "part": (WHOLE[:, 2:5], STORED[:, 2:5]),
    "every second row": (WHOLE[:, 1::2], STORED[:, 1::2]),
    "turned": (WHOLE.swapaxes(1, 2), STORED.swapaxes(1, 2)),
    "pairs": (WHOLE.reshape(4, 2, 3, 8).swapaxes(1, 2), STORED.reshape(4, 2, 3, 8).swapaxes(1, 2)),
    "one": (WHOLE[2, 3], STORED[2, 3]),
    "columns": (WHOLE.reshape(24, 2, 4).swapaxes(1, 2), STORED.reshape(24, 2, 4).swapaxes(1, 2)),
}


def read(view: Layout, max_values: int, multiple: int) -> tuple[list[tuple[int, int]], npt.NDArray[np.generic]]:
    spans, found = [], []
    for key in view.cuts(max_values, multiple):
        first, stop = view[key].span
        spans.append((first, stop))
        found.append(view[key].read_from(STORED.reshape(-1)[first:stop].copy(), first).reshape(-1))
    return spans, np.concatenate(found)


@pytest.mark.parametrize("name", VIEWS)
@pytest.mark.parametrize("max_values", [1, 7, 20, 1000])
def test_values_come_in_numpys_order_and_no_stretch_twice(name: str, max_values: int) -> None:
    view, expected = VIEWS[name]
    assert view.shape == expected.shape
    spans, values = read(view, max_values, expected.shape[-1])
    assert np.array_equal(values, expected.reshape(-1))
    assert all(before[1] <= after[0] for before, after in pairwise(spans))


def test_rows_stay_whole() -> None:
    view = WHOLE.reshape(24, 2, 4).swapaxes(1, 2)
    assert all(view[key].n_values % 8 == 0 for key in view.cuts(1, 8))


def test_what_would_need_a_copy_is_an_error() -> None:
    with pytest.raises(ValueError, match="copy"):
        WHOLE.swapaxes(0, 1).reshape(24, 8)
    with pytest.raises(ValueError, match="shape"):
        WHOLE.shaped(5, 5)


def test_shaped_only_names_the_shape() -> None:
    assert WHOLE.swapaxes(0, 1).shaped(-1, 8).final_shape == (24, 8)
