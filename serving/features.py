"""What the ranker looks at: the same function for training and for serving, over a bundle's arrays."""

import numpy as np

from serving.bundle import Array, Bundle
from serving.history import purchases
from serving.traits import PRODUCT, PURCHASE, UNKNOWN

DECAYED = PURCHASE.index("orders_90d")
RECENT = PRODUCT.index("buyers_30d")
BY_PURCHASE, BY_TASTE, BY_BUYERS, BY_BASKETS = 200, 100, 100, 50  # candidates of each kind


def features(bundle: Bundle, customers: Array, products: Array) -> Array:
    """The features of pairs of a customer and a product, (m, F) float32 in the order of `traits.NAMES`.

    customers, products: (m,) rows of the bundle.
    """
    people, row = np.unique(customers, return_inverse=True)
    place = _places(bundle, people)[row, products]
    purchase = np.where((place >= 0)[:, None], bundle.history_traits[place], np.float32(UNKNOWN))
    customer, product = bundle.customer_traits[customers], bundle.product_traits[products]
    taste = np.einsum("mk,mk->m", bundle.user_factors[customers], bundle.item_factors[products])
    lift = np.sqrt(product[:, RECENT])
    with_bought = bought_with(bundle, people)[row, products]
    with_basket = basket_with(bundle, people)[row, products]
    pair = (taste, taste * lift, with_bought, with_basket, with_bought * lift)
    return np.column_stack([purchase, customer, product, *pair]).astype(np.float32, copy=False)


def candidates(bundle: Bundle, customers: Array) -> tuple[Array, Array]:
    """The pairs worth ranking: rows among the customers, ascending, and products, (m,) each.

    They are the customer's own products, what leads the trend and the season, and the best others by
    taste and by what is bought with the own ones.
    """
    rows, places = purchases(bundle, customers)
    own = bundle.history_product[places]
    strength = np.zeros((len(customers), len(bundle.products)), np.float32)
    strength[rows, own] = bundle.history_traits[places, DECAYED]
    again = _first(strength, BY_PURCHASE)
    wanted = np.zeros(strength.shape, bool)
    wanted[:, bundle.leading] = True
    for values, count in (
        (_trending_taste(bundle, customers), BY_TASTE),
        (bought_with(bundle, customers), BY_BUYERS),
        (basket_with(bundle, customers), BY_BASKETS),
    ):
        values[rows, own] = 0
        wanted |= _first(values, count)
    wanted[rows, own] = again[rows, own]
    wanted[:, bundle.popularity == 0] = False
    found, products = np.nonzero(wanted)
    return found, products


def bought_with(bundle: Bundle, customers: Array) -> Array:
    """How near products are to what customers bought, by common buyers, (n, P) float32."""
    return _near(bundle, customers, bundle.neighbours, bundle.neighbour_cosine)


def basket_with(bundle: Bundle, customers: Array) -> Array:
    """How near products are to what customers bought, by common baskets, (n, P) float32."""
    return _near(bundle, customers, bundle.basket_neighbours, bundle.basket_cosine)


def _near(bundle: Bundle, customers: Array, neighbours: Array, cosine: Array) -> Array:
    """The cosines of the neighbours of all own products, weighing by their decayed orders."""
    rows, places = purchases(bundle, customers)
    own, width = bundle.history_product[places], len(bundle.products)
    weight = bundle.history_traits[places, DECAYED]
    at = rows[:, None] * width + neighbours[own]
    summed = np.bincount(at.ravel(), (weight[:, None] * cosine[own]).ravel(), len(customers) * width)
    return summed.reshape(len(customers), width).astype(np.float32)


def _places(bundle: Bundle, customers: Array) -> Array:
    """Where in the history a customer's purchases of a product stand, -1 for none, (n, P)."""
    rows, places = purchases(bundle, customers)
    found = np.full((len(customers), len(bundle.products)), -1, np.int64)
    found[rows, bundle.history_product[places]] = places
    return found


def _trending_taste(bundle: Bundle, customers: Array) -> Array:
    taste = bundle.user_factors[customers] @ bundle.item_factors.T
    return np.asarray(taste * np.sqrt(bundle.product_traits[:, RECENT]))


def _first(values: Array, count: int) -> Array:
    """True at the highest values of each row that are above zero, (n, P) bool."""
    wanted = values > 0
    some = np.flatnonzero(wanted.any(axis=0))  # few of many products, where one customer asks
    if len(some) > count:
        rest = np.argpartition(-values[:, some], count - 1, axis=1)[:, count:]
        np.put_along_axis(wanted, some[rest], False, axis=1)
    return wanted
