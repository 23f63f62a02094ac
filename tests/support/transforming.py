"""Applies a transform to a whole array, as the pass over the weights does it block by block."""

from typing import Any

import numpy as np
import numpy.typing as npt

from converters.layout import Layout
from converters.transforms import Transform


def applied(transform: Transform, stored: npt.NDArray[Any], max_values: int | None = None) -> npt.NDArray[Any]:
    """Give the file's tensor out of the stored one; cut into pieces of at most max_values values, if given."""
    whole = transform.layout(Layout.of(stored.shape))
    views = [whole] if isinstance(whole, Layout) else list(whole)
    flat, found = stored.reshape(-1), []
    for view in views:
        for key in view.cuts(max_values, 1) if max_values else [(...,)]:
            first, stop = view[key].span
            found.append(view[key].read_from(flat[first:stop].copy(), first).reshape(-1))
    shape = (sum(view.final_shape[0] for view in views), *views[0].final_shape[1:])
    values = np.concatenate(found).reshape(shape)
    return transform.values(values) if transform.values else values
