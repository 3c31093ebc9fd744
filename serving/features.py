"""What the ranker looks at: the same functions for training and for serving, over a bundle's arrays."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from serving.bundle import Array, Bundle
from serving.history import purchases
from serving.top import best
from serving.traits import PURCHASE, UNKNOWN

DECAYED = PURCHASE.index("orders_90d")
BY_PURCHASE, BY_TASTE, BY_BUYERS, BY_BASKETS = 200, 100, 100, 50  # candidates of each kind
DENSE = 4  # cells for each entry up to which a table of all sums is made sooner than the entries are sorted


@dataclass(frozen=True)
class Sums:
    """Sums of weights by pairs of one of n customers and a product, that are above zero."""

    width: int  # the number P of products
    keys: Array  # (m,) customer * P + product, ascending
    values: Array  # (m,) float32

    @classmethod
    def of(cls, keys: Array, weights: Array, n: int, width: int) -> "Sums":
        """The sums of m weights by their keys, (m,) each."""
        if n * width <= DENSE * len(keys):
            values = np.bincount(keys, weights, n * width).astype(np.float32)
            return cls(width, found := np.flatnonzero(values), values[found])
        order = np.argsort(keys, kind="stable")
        ascending = keys[order]
        first = np.flatnonzero(np.diff(ascending, prepend=-1))
        values = np.add.reduceat(weights[order].astype(np.float64), first) if len(first) else weights
        values = values.astype(np.float32)
        return cls(width, ascending[first][values > 0], values[values > 0])

    def at(self, keys: Array) -> Array:
        """The sums of some keys, 0 where there is none, (m,) float32."""
        place = np.searchsorted(self.keys, keys)
        found = np.append(self.keys, -1)[place] == keys
        return np.where(found, np.append(self.values, np.float32(0))[place], np.float32(0))

    def row(self, row: int) -> tuple[Array, Array]:
        """The products of one customer and their sums, (m,) each."""
        start, end = np.searchsorted(self.keys, (row * self.width, (row + 1) * self.width))
        return self.keys[start:end] - row * self.width, self.values[start:end]


@dataclass(frozen=True)
class Around:
    """What n customers bought, and what lies near it."""

    bundle: Bundle
    customers: Array  # (n,) rows of the bundle

    @cached_property
    def bought_with(self) -> Sums:
        """How near products are to what customers bought, by common buyers."""
        return self._near(self.bundle.neighbours, self.bundle.neighbour_cosine)

    @cached_property
    def basket_with(self) -> Sums:
        """How near products are to what customers bought, by common baskets."""
        return self._near(self.bundle.basket_neighbours, self.bundle.basket_cosine)

    def places(self, keys: Array) -> Array:
        """Where in the history the purchases of pairs stand, -1 for none, (m,); keys: as in `Sums`."""
        rows, places = self._purchases
        own = rows * len(self.bundle.products) + self.bundle.history_product[places]
        order = np.argsort(own, kind="stable")
        at = np.searchsorted(own[order], keys)
        found = np.append(own[order], -1)[at] == keys
        return np.where(found, np.append(places[order], -1)[at], -1)

    @cached_property
    def _purchases(self) -> tuple[Array, Array]:
        return purchases(self.bundle, self.customers)

    def _near(self, neighbours: Array, cosine: Array) -> Sums:
        """The cosines of the neighbours of all own products, weighing by their decayed orders."""
        rows, places = self._purchases
        own, width = self.bundle.history_product[places], len(self.bundle.products)
        weights = self.bundle.history_traits[places, DECAYED][:, None] * cosine[own]
        keys = rows[:, None] * width + neighbours[own]
        return Sums.of(keys.ravel(), weights.ravel(), len(self.customers), width)


def features(around: Around, rows: Array, products: Array) -> Array:
    """The features of pairs of a customer and a product, (m, F) float32 in the order of `traits.NAMES`.

    rows: (m,) among the customers. products: (m,) rows of the bundle.
    """
    bundle, customers = around.bundle, around.customers[rows]
    keys = rows * len(bundle.products) + products
    place = around.places(keys)
    purchase = np.where((place >= 0)[:, None], bundle.history_traits[place], np.float32(UNKNOWN))
    customer, product = bundle.customer_traits[customers], bundle.product_traits[products]
    taste = np.einsum("mk,mk->m", bundle.user_factors[customers], bundle.item_factors[products])
    lift = bundle.lift[products]
    with_bought, with_basket = around.bought_with.at(keys), around.basket_with.at(keys)
    pair = (taste, taste * lift, with_bought, with_basket, with_bought * lift)
    return np.column_stack([purchase, customer, product, *pair]).astype(np.float32, copy=False)


def candidates(around: Around) -> tuple[Array, Array]:
    """The pairs worth ranking: rows among the customers, ascending, and products, ascending, (m,) each.

    They are the customer's own products, what leads the trend and the season, and the best others by
    taste and by what is bought with the own ones.
    """
    found = [_candidates(around, row) for row in range(len(around.customers))]
    rows = np.repeat(np.arange(len(found)), [len(products) for products in found])
    return rows, np.concatenate([np.empty(0, np.int64), *found])


def _candidates(around: Around, row: int) -> Array:
    """The products worth ranking for one customer, ascending, (m,)."""
    bundle, customer = around.bundle, int(around.customers[row])
    own = bundle.bought(customer)
    strength = bundle.history_traits[bundle.history_of(customer), DECAYED]
    wanted, is_own = np.zeros((2, len(bundle.products)), bool)
    is_own[own] = True
    wanted[bundle.leading] = True
    taste = bundle.trending_taste.highest(bundle.user_factors[customer], BY_TASTE + len(own))
    for near, count in (
        (taste, BY_TASTE),
        (around.bought_with.row(row), BY_BUYERS),
        (around.basket_with.row(row), BY_BASKETS),
    ):
        wanted[_first(*near, is_own, count)] = True
    wanted[own] = False
    wanted[own[strength > 0][best(strength[strength > 0], BY_PURCHASE)]] = True
    found = np.flatnonzero(wanted)
    return found[bundle.popularity[found] > 0]


def _first(products: Array, values: Array, is_own: Array, count: int) -> Array:
    """Of m products those with the highest values above zero, but for own ones."""
    other = (values > 0) & ~is_own[products]
    products, values = products[other], values[other]
    return products[best(values, count)]
