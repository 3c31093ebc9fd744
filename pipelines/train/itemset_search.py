"""The search for frequent itemsets, in compiled code."""

import numpy as np

from pipelines.train.itemsets import END, NO_PARENT
from serving.bundle.compiler import Array, compiled


@compiled
def search(
    items: Array, starts: Array, products: int, enough: int, largest: int
) -> tuple[Array, Array, Array]:
    """Returns the itemsets of one product and more that occur in enough baskets, each after its parent.

    An itemset is its parent, (n,) int64 (the row of the itemset that it extends), the product added, (n,)
    int32, and in how many baskets it occurs, (n,) int64.

    Depth first; the baskets of an itemset are kept as positions of its last product, and one pass over what
    follows them counts all its extensions (Uno, Kiyomi, Arimura 2004: occurrence deliver).

    items: int32, the products of all baskets, ascending, with an END before and after each basket. starts:
    int64, where the END before each basket is.
    """
    parent, added, count = np.empty(1024, np.int64), np.empty(1024, np.int32), np.empty(1024, np.int64)
    size = 0
    baskets, places = np.zeros(products, np.int64), np.empty(products, np.int64)
    met = np.empty(products, np.int32)
    # The lists of an itemset's extensions follow its own list, and are dropped when they are searched.
    positions = np.empty(len(items), np.int64)
    for basket in range(len(starts)):
        positions[basket] = starts[basket]
    waiting = np.empty((products * largest + 1, 4), np.int64)  # itemset, its size, its list's start and end
    waiting[0, 0], waiting[0, 1], waiting[0, 2], waiting[0, 3] = NO_PARENT, 0, 0, len(starts)
    left = 1
    while left > 0:
        left -= 1
        itemset, length, first, last = waiting[left]
        seen = 0
        for index in range(first, last):
            at = positions[index] + 1
            while items[at] != END:
                if baskets[items[at]] == 0:
                    met[seen] = items[at]
                    seen += 1
                baskets[items[at]] += 1
                at += 1
        end = last
        for index in range(seen):
            product = met[index]
            places[product] = END
            if baskets[product] >= enough:
                if size == len(parent):
                    parent, added, count = doubled(parent), doubled(added), doubled(count)
                parent[size], added[size], count[size] = itemset, product, baskets[product]
                if length + 1 < largest:
                    places[product] = end
                    waiting[left, 0], waiting[left, 1] = size, length + 1
                    waiting[left, 2], waiting[left, 3] = end, end + baskets[product]
                    end += baskets[product]
                    left += 1
                size += 1
            baskets[product] = 0
        while end > len(positions):
            positions = doubled(positions)
        for index in range(first, last if end > last else first):
            at = positions[index] + 1
            while items[at] != END:
                place = places[items[at]]
                if place != END:
                    positions[place] = at
                    places[items[at]] += 1
                at += 1
    return parent[:size], added[:size], count[:size]


@compiled
def doubled(array: Array) -> Array:
    """Returns the array with as much space behind it."""
    longer = np.empty(2 * len(array), array.dtype)
    for index in range(len(array)):
        longer[index] = array[index]
    return longer
