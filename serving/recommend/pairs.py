"""The ranker's candidates and their features, for one customer after the other, in compiled code."""

from typing import Any, NamedTuple

import numpy as np

from serving.bundle.compiler import Array, compiled, summing
from serving.bundle.learned import Learned
from serving.bundle.traits import CUSTOMER, FEATURE_NAMES, PRODUCT, PURCHASE, UNKNOWN
from serving.recommend.tables import EMPTY, offer, slot, table

WIDTH = len(FEATURE_NAMES)
ORDERS_90D = PURCHASE.index("orders_90d")
OF_CUSTOMER, OF_PRODUCT = len(PURCHASE), len(PURCHASE) + len(CUSTOMER)  # the first column of each kind
OF_PAIR = OF_PRODUCT + len(PRODUCT)


class Most(NamedTuple):
    """How many candidates of each kind a customer has at most."""

    purchase: int
    taste: int
    buyers: int
    baskets: int


class Near(NamedTuple):
    """The products near those that a customer bought: a hash table."""

    keys: Array  # (s,) int32, products by slot
    sums: Array  # (s,) float32, of cosines
    used: Array  # (m,) int64, the slots that hold a product


@compiled
def pairs(learned: Learned, customers: Array, most: Most) -> tuple[Array, Array, Array]:
    """Returns the candidates of n customers: the customer's index among the n, product, features.

    They are (m,) int64, (m,) int64 and (m, F) float32, by ascending customer and product.
    """
    count = most.purchase + most.taste + most.buyers + most.baskets + len(learned.leading)
    size, space = 0, len(customers) * min(count, len(learned.popularity))
    rows, products = np.empty(space, np.int64), np.empty(space, np.int64)
    features = np.empty((space, WIDTH), np.float32)
    for row in range(len(customers)):
        customer = customers[row]
        start, stop = learned.history_start[customer], learned.history_start[customer + 1]
        own, position = _positions(learned.history_product[start:stop])
        buyers = _near(learned, start, stop, learned.neighbours, learned.neighbour_cosine)
        baskets = _near(learned, start, stop, learned.basket_neighbours, learned.basket_cosine)
        chosen, chosen_count = _chosen(learned, customer, own, buyers, baskets, most)
        for product in np.sort(chosen[:chosen_count]):
            at = slot(own, product)
            purchase = start + position[at] if own[at] == product else -1
            near_buyers = buyers.sums[slot(buyers.keys, product)]
            near_baskets = baskets.sums[slot(baskets.keys, product)]
            rows[size], products[size] = row, product
            _fill(features, size, learned, customer, product, purchase, near_buyers, near_baskets)
            size += 1
    return rows[:size], products[:size], features[:size]


@compiled
def _positions(own: Array) -> tuple[Array, Array]:
    """Returns a hash table of products, and the position of each among the own ones, by its slot."""
    keys = table(len(own))
    position = np.zeros(len(keys), np.int64)
    for index in range(len(own)):
        at = slot(keys, own[index])
        keys[at], position[at] = own[index], index
    return keys, position


@compiled
def _near(learned: Learned, start: int, stop: int, neighbours: Array, cosine: Array) -> Near:
    """Returns the neighbours of all products bought; each purchase counts by its decayed orders."""
    entries = min((stop - start) * neighbours.shape[1], len(neighbours))
    keys, used, count = table(entries), np.empty(entries, np.int64), 0
    sums = np.zeros(len(keys), np.float64)
    for purchase in range(start, stop):
        weight, product = learned.history_traits[purchase, ORDERS_90D], learned.history_product[purchase]
        for column in range(neighbours.shape[1]):
            added = weight * cosine[product, column]
            if added != 0:
                at = slot(keys, neighbours[product, column])
                if keys[at] == EMPTY:
                    keys[at], used[count] = neighbours[product, column], at
                    count += 1
                sums[at] += added
    return Near(keys, sums.astype(np.float32), used[:count])


@compiled
def _chosen(
    learned: Learned,
    customer: int,
    own: Array,
    buyers: Near,
    baskets: Near,
    most: Most,
) -> tuple[Array, int]:
    """Returns a customer's candidates in no given order, each once, and how many they are."""
    space = most.taste + most.buyers + most.baskets + len(learned.leading)
    others, size = np.empty(space, np.int32), 0
    for product in learned.leading:
        if own[slot(own, product)] != product:
            others[size] = product
            size += 1
    for products in (
        _by_taste(learned, customer, own, most.taste),
        _highest(buyers, own, most.buyers),
        _highest(baskets, own, most.baskets),
    ):
        for product in products:  # assigning them to a slice would take five seconds more to compile
            others[size] = product
            size += 1
    bought = _most_bought(learned, customer, most.purchase)
    chosen, count = np.empty(size + len(bought), np.int32), 0
    seen = table(len(chosen))
    for products in (others[:size], bought):
        for product in products:
            at = slot(seen, product)
            if seen[at] != product and learned.popularity[product] > 0:
                seen[at] = chosen[count] = product
                count += 1
    return chosen, count


@compiled
def _by_taste(learned: Learned, customer: int, own: Array, count: int) -> Array:
    """Returns the products not yet bought with the highest tastes above zero, (r,) int32.

    The search stops where no product can reach the lowest of `count` tastes: see `InnerProductIndex`.
    """
    values, products, size = np.empty(count, np.float32), np.empty(count, np.int32), 0
    factors = learned.user_factors
    length = np.sqrt(dot(factors, customer, factors, customer))
    for position in range(len(learned.order) if length > 0 else 0):
        if size == count and -learned.negative_bound[position] * length < values[0]:
            break
        product = learned.order[position]
        if position < len(learned.head):
            taste = dot(learned.head, position, factors, customer)
        else:
            taste = dot(learned.item_factors, product, factors, customer) * learned.recent_boost[product]
        if taste > 0 and (size < count or taste >= values[0]) and own[slot(own, product)] != product:
            size = offer(values, products, size, taste, product)
    return products[:size]


@compiled
def _highest(near: Near, own: Array, count: int) -> Array:
    """Returns the products near, not yet bought, with the highest sums above zero, (r,) int32."""
    values, products, size = np.empty(count, np.float32), np.empty(count, np.int32), 0
    for at in near.used:
        product, value = near.keys[at], near.sums[at]
        if value > 0 and (size < count or value >= values[0]) and own[slot(own, product)] != product:
            size = offer(values, products, size, value, product)
    return products[:size]


@compiled
def _most_bought(learned: Learned, customer: int, count: int) -> Array:
    """Returns the products bought most, by decayed orders above zero, (r,) int32."""
    values, products, size = np.empty(count, np.float32), np.empty(count, np.int32), 0
    for purchase in range(learned.history_start[customer], learned.history_start[customer + 1]):
        weight = learned.history_traits[purchase, ORDERS_90D]
        if weight > 0:
            size = offer(values, products, size, weight, learned.history_product[purchase])
    return products[:size]


@compiled
def _fill(
    features: Array,
    pair: int,
    learned: Learned,
    customer: int,
    product: int,
    purchase: int,
    near_buyers: float,
    near_baskets: float,
) -> None:
    """Writes the features of a pair, a row of (m, F), in the order of FEATURE_NAMES.

    purchase: the row of the history, -1 if the product was never bought.
    """
    for column in range(OF_CUSTOMER):
        features[pair, column] = learned.history_traits[purchase, column] if purchase >= 0 else UNKNOWN
    for column in range(OF_PRODUCT - OF_CUSTOMER):
        features[pair, OF_CUSTOMER + column] = learned.customer_traits[customer, column]
    for column in range(OF_PAIR - OF_PRODUCT):
        features[pair, OF_PRODUCT + column] = learned.product_traits[product, column]
    taste = dot(learned.item_factors, product, learned.user_factors, customer)
    boost = learned.recent_boost[product]
    features[pair, OF_PAIR] = taste
    features[pair, OF_PAIR + 1] = taste * boost
    features[pair, OF_PAIR + 2] = near_buyers
    features[pair, OF_PAIR + 3] = near_baskets
    features[pair, OF_PAIR + 4] = near_buyers * boost


@summing
def dot(one: Array, row: int, other: Array, other_row: int) -> Any:
    """Returns the inner product of a row of each of two matrices, float32."""
    total = np.float32(0)
    for column in range(one.shape[1]):
        total += one[row, column] * other[other_row, column]
    return total
