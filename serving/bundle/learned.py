"""The arrays of a bundle that compiled code reads: of fixed types, in C order, read-only.

Machine code fits one set of types; another set would be compiled in the middle of a request, for seconds.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


class Learned(NamedTuple):
    """What the ranker's candidates and features come from. Shapes: as in `Bundle`."""

    history_start: Array  # int64
    history_product: Array  # int32, as all rows of products
    history_traits: Array  # float32, as all other numbers
    customer_traits: Array
    product_traits: Array
    neighbours: Array
    neighbour_cosine: Array
    basket_neighbours: Array
    basket_cosine: Array
    leading: Array
    popularity: Array
    user_factors: Array
    item_factors: Array
    recent_boost: Array
    order: Array  # products by falling bound of their tastes, as in `InnerProductIndex`
    negative_bound: Array
    head: Array


TYPES = {"history_start": np.int64} | dict.fromkeys(
    ("history_product", "neighbours", "basket_neighbours", "leading", "order"), np.int32
)


def learned(arrays: dict[str, Array]) -> Learned:
    """Returns the arrays as compiled code reads them; copies those of another type or order."""
    return Learned(**{name: read_only(array, TYPES.get(name, np.float32)) for name, array in arrays.items()})


def read_only(array: Array, dtype: npt.DTypeLike) -> Array:
    """Returns a read-only view of an array in C order; of a copy if it has another type or order."""
    view = np.ascontiguousarray(array, dtype).view()
    view.flags.writeable = False
    return view
