"""Computes the ranker's candidates and features from a bundle; training and serving share this code."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from serving.bundle.format import Array, Bundle
from serving.bundle.traits import PURCHASE, UNKNOWN
from serving.recommend.history import purchases

ORDERS_90D = PURCHASE.index("orders_90d")
BY_PURCHASE, BY_TASTE, BY_BUYERS, BY_BASKETS = 200, 100, 100, 50  # candidates of each kind for a customer
# Weights are summed in a dense table if it has at most this many cells per entry: faster than sorting them.
DENSE = 4


@dataclass(frozen=True)
class PairSums:
    """Positive sums of weights for pairs of a customer and a product.

    A pair's key is customer * P + product, where the customer is an index among n customers.
    """

    width: int  # P, the number of products
    keys: Array  # (m,) int64, ascending
    values: Array  # (m,) float32

    @classmethod
    def of(cls, keys: Array, weights: Array, n: int, width: int) -> "PairSums":
        """Sums weights by key. keys: (m,) int64. weights: (m,) float32. n: customers. width: P."""
        if n * width <= DENSE * len(keys):
            values = np.bincount(keys, weights, n * width).astype(np.float32)
            return cls(width, present := np.flatnonzero(values), values[present])
        order = _ascending(keys)
        sorted_keys = keys[order]
        first = np.flatnonzero(np.diff(sorted_keys, prepend=-1))
        values = np.add.reduceat(weights[order].astype(np.float64), first) if len(first) else weights
        values = values.astype(np.float32)
        return cls(width, sorted_keys[first][values > 0], values[values > 0])

    def lookup(self, keys: Array) -> Array:
        """Returns the sum of each key, 0 if it has none, (m,) float32. keys: (m,) int64."""
        index = np.searchsorted(self.keys, keys)
        is_present = np.append(self.keys, -1)[index] == keys
        return np.where(is_present, np.append(self.values, np.float32(0))[index], np.float32(0))


@dataclass(frozen=True)
class Neighbourhood:
    """What n customers bought, and the products near it. Pairs have keys as in `PairSums`."""

    bundle: Bundle
    customers: Array  # (n,) rows of the bundle

    @cached_property
    def bought_with(self) -> PairSums:
        """How similar products are to what each customer bought, by common buyers."""
        return self._near(self.bundle.neighbours, self.bundle.neighbour_cosine)

    @cached_property
    def basket_with(self) -> PairSums:
        """How similar products are to what each customer bought, by common baskets."""
        return self._near(self.bundle.basket_neighbours, self.bundle.basket_cosine)

    def history_rows(self, keys: Array) -> Array:
        """Returns each pair's history row, -1 if it was never bought, (m,) int64. keys: (m,) int64."""
        order = np.argsort(self.own_keys, kind="stable")
        sorted_keys, rows = self.own_keys[order], self.purchases[1][order]
        index = np.searchsorted(sorted_keys, keys)
        return np.where(np.append(sorted_keys, -1)[index] == keys, np.append(rows, -1)[index], -1)

    @cached_property
    def purchases(self) -> tuple[Array, Array]:
        """The customers' purchases, as `history.purchases` returns them."""
        return purchases(self.bundle, self.customers)

    @cached_property
    def own_keys(self) -> Array:
        """The keys of the products bought, by ascending customer, (h,) int64."""
        customers, rows = self.purchases
        return customers * len(self.bundle.products) + self.bundle.history_product[rows]

    def _near(self, neighbours: Array, cosine: Array) -> PairSums:
        """Sums the cosines of the neighbours of all products bought, weighted by their decayed orders."""
        customers, rows = self.purchases
        own, width = self.bundle.history_product[rows], len(self.bundle.products)
        weights = self.bundle.history_traits[rows, ORDERS_90D][:, None] * cosine[own]
        keys = customers[:, None] * width + neighbours[own]
        return PairSums.of(keys.ravel(), weights.ravel(), len(self.customers), width)


def features(nearby: Neighbourhood, rows: Array, products: Array) -> Array:
    """Returns the features of m pairs, (m, F) float32, columns in the order of `traits.FEATURE_NAMES`.

    rows: (m,) int64, indices among the customers. products: (m,) int64, rows of the bundle.
    """
    bundle, customers = nearby.bundle, nearby.customers[rows]
    keys = rows * len(bundle.products) + products
    history_row = nearby.history_rows(keys)
    purchase = bundle.history_traits.take(history_row, axis=0)
    purchase[history_row < 0] = UNKNOWN
    customer = bundle.customer_traits.take(customers, axis=0)
    product = bundle.product_traits.take(products, axis=0)
    tastes = bundle.user_factors.take(customers, axis=0), bundle.item_factors.take(products, axis=0)
    taste = np.einsum("mk,mk->m", *tastes)
    boost = bundle.recent_boost[products]
    with_bought, with_basket = nearby.bought_with.lookup(keys), nearby.basket_with.lookup(keys)
    pair = (taste, taste * boost, with_bought, with_basket, with_bought * boost)
    return np.column_stack([purchase, customer, product, *pair]).astype(np.float32, copy=False)


def candidates(nearby: Neighbourhood) -> tuple[Array, Array]:
    """Returns the pairs to rank: customers and products, ascending, (m,) int64 each.

    A customer's candidates are the products bought most, the leading products, and of the other products
    the best by taste and by similarity to what the customer bought. Customers are indices among the n.
    """
    bundle, n = nearby.bundle, len(nearby.customers)
    width = len(bundle.products)
    own, strength = nearby.own_keys, bundle.history_traits[nearby.purchases[1], ORDERS_90D]
    leading = np.arange(n)[:, None] * width + bundle.leading
    parts = [leading.ravel()]
    for near, count in (
        (_by_taste(nearby), BY_TASTE),
        (nearby.bought_with, BY_BUYERS),
        (nearby.basket_with, BY_BASKETS),
    ):
        other = _not_in(near.keys, own)
        parts.append(_highest_keys(near.keys[other], near.values[other], n, width, count))
    keys = np.concatenate(parts)
    keys = keys[_ascending(keys)]
    keys = keys[(np.diff(keys, prepend=-1) > 0) & _not_in(keys, own)]
    bought = _highest_keys(own[strength > 0], strength[strength > 0], n, width, BY_PURCHASE)
    keys = np.concatenate([keys, bought])
    rows, products = np.divmod(keys[_ascending(keys)], width)
    sold = bundle.popularity[products] > 0
    return rows[sold], products[sold]


def _ascending(keys: Array) -> Array:
    """Returns the stable order of keys that aren't negative, (m,) int64.

    Sorts 16 bits at a time, for which numpy uses a radix sort: faster than its sort of longer integers.
    """
    order = np.argsort(keys.astype(np.uint16), kind="stable")
    for shift in range(16, int(keys.max(initial=0)).bit_length(), 16):
        order = order[np.argsort((keys[order] >> shift).astype(np.uint16), kind="stable")]
    return order


def _by_taste(nearby: Neighbourhood) -> PairSums:
    """Returns each customer's highest positive tastes: enough for BY_TASTE products not yet bought."""
    bundle, width = nearby.bundle, len(nearby.bundle.products)
    keys, values = [np.empty(0, np.int64)], [np.empty(0, np.float32)]
    for row, customer in enumerate(nearby.customers.tolist()):
        own = bundle.history_rows(customer)
        count = BY_TASTE + own.stop - own.start
        products, tastes = bundle.trending_taste_index.highest(bundle.user_factors[customer], count)
        keys.append(products[tastes > 0].astype(np.int64) + row * width)
        values.append(tastes[tastes > 0])
    return PairSums(width, np.concatenate(keys), np.concatenate(values))


def _not_in(keys: Array, own: Array) -> Array:
    """Returns True for the ascending keys that aren't among the own ones, (m,) bool."""
    index = np.searchsorted(keys, own)
    is_other = np.ones(len(keys) + 1, bool)
    is_other[index[np.append(keys, -1)[index] == own]] = False
    return is_other[:-1]


def _highest_keys(keys: Array, values: Array, n: int, width: int, count: int) -> Array:
    """Returns the keys of each customer's `count` highest values, ties in the order given, (r,) int64.

    keys, values: (m,) by ascending customer; values above zero.
    """
    rows = keys // width
    ends = np.searchsorted(rows, np.arange(n + 1))
    table = np.zeros((n, np.diff(ends).max(initial=count)), np.float32)
    table[rows, np.arange(len(rows)) - ends[rows]] = values
    is_high = values >= np.partition(table, -count, axis=1)[rows, -count]
    keys, values, rows = keys[is_high], values[is_high], rows[is_high]
    order = np.lexsort((-values, rows))
    rank = np.arange(len(rows)) - np.searchsorted(rows, rows)
    return np.asarray(keys[order[rank < count]])
