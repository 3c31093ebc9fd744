"""What the ranker looks at: the same functions for training and for serving, over a bundle's arrays."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from serving.bundle.format import Array, Bundle
from serving.bundle.traits import PURCHASE, UNKNOWN
from serving.recommend.history import purchases

DECAYED = PURCHASE.index("orders_90d")
BY_PURCHASE, BY_TASTE, BY_BUYERS, BY_BASKETS = 200, 100, 100, 50  # candidates of each kind
DENSE = 4  # cells for each entry up to which a table of all sums is made sooner than the entries are sorted


@dataclass(frozen=True)
class PairSums:
    """Sums of weights by pairs of one of n customers and a product, that are above zero."""

    width: int  # the number P of products
    keys: Array  # (m,) customer * P + product, ascending
    values: Array  # (m,) float32

    @classmethod
    def of(cls, keys: Array, weights: Array, n: int, width: int) -> "PairSums":
        """The sums of m weights by their keys, (m,) each."""
        if n * width <= DENSE * len(keys):
            values = np.bincount(keys, weights, n * width).astype(np.float32)
            return cls(width, found := np.flatnonzero(values), values[found])
        order = _ascending(keys)
        ascending = keys[order]
        first = np.flatnonzero(np.diff(ascending, prepend=-1))
        values = np.add.reduceat(weights[order].astype(np.float64), first) if len(first) else weights
        values = values.astype(np.float32)
        return cls(width, ascending[first][values > 0], values[values > 0])

    def lookup(self, keys: Array) -> Array:
        """The sums of some keys, 0 where there is none, (m,) float32."""
        place = np.searchsorted(self.keys, keys)
        found = np.append(self.keys, -1)[place] == keys
        return np.where(found, np.append(self.values, np.float32(0))[place], np.float32(0))


@dataclass(frozen=True)
class Neighbourhood:
    """What n customers bought, and what lies near it."""

    bundle: Bundle
    customers: Array  # (n,) rows of the bundle

    @cached_property
    def bought_with(self) -> PairSums:
        """How near products are to what customers bought, by common buyers."""
        return self._near(self.bundle.neighbours, self.bundle.neighbour_cosine)

    @cached_property
    def basket_with(self) -> PairSums:
        """How near products are to what customers bought, by common baskets."""
        return self._near(self.bundle.basket_neighbours, self.bundle.basket_cosine)

    def history_rows(self, keys: Array) -> Array:
        """Where in the history the purchases of pairs stand, -1 for none, (m,); keys: as in `Sums`."""
        order = np.argsort(self.own_keys, kind="stable")
        ascending, places = self.own_keys[order], self.purchases[1][order]
        at = np.searchsorted(ascending, keys)
        return np.where(np.append(ascending, -1)[at] == keys, np.append(places, -1)[at], -1)

    @cached_property
    def purchases(self) -> tuple[Array, Array]:
        """The history rows of the customers, as `history.purchases`."""
        return purchases(self.bundle, self.customers)

    @cached_property
    def own_keys(self) -> Array:
        """The pairs of a customer and a product bought, by ascending customer, (h,); as in `Sums`."""
        rows, places = self.purchases
        return rows * len(self.bundle.products) + self.bundle.history_product[places]

    def _near(self, neighbours: Array, cosine: Array) -> PairSums:
        """The cosines of the neighbours of all own products, weighing by their decayed orders."""
        rows, places = self.purchases
        own, width = self.bundle.history_product[places], len(self.bundle.products)
        weights = self.bundle.history_traits[places, DECAYED][:, None] * cosine[own]
        keys = rows[:, None] * width + neighbours[own]
        return PairSums.of(keys.ravel(), weights.ravel(), len(self.customers), width)


def features(around: Neighbourhood, rows: Array, products: Array) -> Array:
    """The features of pairs of a customer and a product, (m, F) float32 in the order of `traits.NAMES`.

    rows: (m,) among the customers. products: (m,) rows of the bundle.
    """
    bundle, customers = around.bundle, around.customers[rows]
    keys = rows * len(bundle.products) + products
    place = around.history_rows(keys)
    purchase = bundle.history_traits.take(place, axis=0)
    purchase[place < 0] = UNKNOWN
    customer = bundle.customer_traits.take(customers, axis=0)
    product = bundle.product_traits.take(products, axis=0)
    tastes = bundle.user_factors.take(customers, axis=0), bundle.item_factors.take(products, axis=0)
    taste = np.einsum("mk,mk->m", *tastes)
    lift = bundle.recent_boost[products]
    with_bought, with_basket = around.bought_with.lookup(keys), around.basket_with.lookup(keys)
    pair = (taste, taste * lift, with_bought, with_basket, with_bought * lift)
    return np.column_stack([purchase, customer, product, *pair]).astype(np.float32, copy=False)


def candidates(around: Neighbourhood) -> tuple[Array, Array]:
    """The pairs worth ranking: rows among the customers, ascending, and products, ascending, (m,) each.

    They are the customer's own products, what leads the trend and the season, and the best others by
    taste and by what is bought with the own ones.
    """
    bundle, n = around.bundle, len(around.customers)
    width = len(bundle.products)
    own, strength = around.own_keys, bundle.history_traits[around.purchases[1], DECAYED]
    leading = np.arange(n)[:, None] * width + bundle.leading
    parts = [leading.ravel()]
    for near, count in (
        (_by_taste(around), BY_TASTE),
        (around.bought_with, BY_BUYERS),
        (around.basket_with, BY_BASKETS),
    ):
        other = _others(near.keys, own)
        parts.append(_first(near.keys[other], near.values[other], n, width, count))
    found = np.concatenate(parts)
    found = found[_ascending(found)]
    found = found[(np.diff(found, prepend=-1) > 0) & _others(found, own)]
    again = _first(own[strength > 0], strength[strength > 0], n, width, BY_PURCHASE)
    found = np.concatenate([found, again])
    rows, products = np.divmod(found[_ascending(found)], width)
    sold = bundle.popularity[products] > 0
    return rows[sold], products[sold]


def _ascending(keys: Array) -> Array:
    """The order of numbers from 0 on, equal ones by place, (m,).

    16 bits at a time, of which numpy makes a radix sort: faster than its sorts of longer numbers.
    """
    order = np.argsort(keys.astype(np.uint16), kind="stable")
    for shift in range(16, int(keys.max(initial=0)).bit_length(), 16):
        order = order[np.argsort((keys[order] >> shift).astype(np.uint16), kind="stable")]
    return order


def _by_taste(around: Neighbourhood) -> PairSums:
    """The highest tastes above zero of each customer, so many that those of own products can be spared."""
    bundle, width = around.bundle, len(around.bundle.products)
    keys, values = [np.empty(0, np.int64)], [np.empty(0, np.float32)]
    for row, customer in enumerate(around.customers.tolist()):
        own = bundle.history_rows(customer)
        count = BY_TASTE + own.stop - own.start
        products, tastes = bundle.trending_taste_index.highest(bundle.user_factors[customer], count)
        keys.append(products[tastes > 0].astype(np.int64) + row * width)
        values.append(tastes[tastes > 0])
    return PairSums(width, np.concatenate(keys), np.concatenate(values))


def _others(keys: Array, own: Array) -> Array:
    """True for the keys, ascending, that are no own ones, (m,) bool."""
    place = np.searchsorted(keys, own)
    found = np.ones(len(keys) + 1, bool)
    found[place[np.append(keys, -1)[place] == own]] = False
    return found[:-1]


def _first(keys: Array, values: Array, n: int, width: int, count: int) -> Array:
    """The keys of each of n customers' highest values, so many at most, ties by place.

    keys, values: (m,) by ascending customer; values above zero.
    """
    rows = keys // width
    ends = np.searchsorted(rows, np.arange(n + 1))
    table = np.zeros((n, np.diff(ends).max(initial=count)), np.float32)
    table[rows, np.arange(len(rows)) - ends[rows]] = values
    among = values >= np.partition(table, -count, axis=1)[rows, -count]
    keys, values, rows = keys[among], values[among], rows[among]
    order = np.lexsort((-values, rows))
    rank = np.arange(len(rows)) - np.searchsorted(rows, rows)
    return np.asarray(keys[order[rank < count]])
