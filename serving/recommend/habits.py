"""What the ranker knows of a customer's habits, carried on by one more visit.

What `pipelines.train.traits` makes of all purchases, made of what a bundle holds of it and of what was bought
since: as if that were one visit, on the bundle's last day.
"""

import numpy as np

from serving.bundle.format import Array, Bundle
from serving.bundle.traits import CUSTOMER, PURCHASE, UNKNOWN

DECAYED = ("orders_7d", "orders_30d", "orders_90d", "orders_365d")
VISITS = ("visits", "visits_30d", "visits_90d")


def traits_after_visit(
    bundle: Bundle, row: int | None, own: slice, product: Array, bought: Array
) -> dict[str, Array]:
    """The traits of a customer and of h purchases, by the bundle's names; (1, b) and (h, a) float32.

    row, own: the customer's row and rows of the history; None and none for who had no purchase. product: (h,)
    all that was bought, ascending. bought: (m,) what was bought since, a row for each order.
    """
    purchases = np.zeros((len(product), bundle.history_traits.shape[1]), np.float32)
    customer = np.zeros((1, bundle.customer_traits.shape[1]), np.float32)
    if row is not None:
        customer[0] = bundle.customer_traits[row]
        purchases[np.searchsorted(product, bundle.history_product[own])] = bundle.history_traits[own]
    if len(bought) and purchases.shape[1]:  # a bundle without a ranker knows no habits
        visits = float(customer[0, CUSTOMER.index("visits")])
        orders = np.bincount(np.searchsorted(product, bought), minlength=len(product))
        _visit(customer[0], len(product), np.unique(bought).size)
        _buy(purchases, orders, visits, float(customer[0, CUSTOMER.index("visit_gap")]))
    return {"history_traits": purchases, "customer_traits": customer}


def _visit(customer: Array, assortment: int, basket: int) -> None:
    """Changes the traits of a customer, (b,), by a visit at which so many products were bought."""
    at = {name: place for place, name in enumerate(CUSTOMER)}
    lines = customer[at["basket"]] * customer[at["visits"]] + basket
    customer[[at[name] for name in VISITS]] += 1
    visits = customer[at["visits"]]
    customer[at["since_visit"]] = 0
    customer[at["visit_gap"]] = customer[at["tenure"]] / (visits - 1) if visits > 1 else UNKNOWN
    customer[at["visit_due"]] = 0 if customer[at["visit_gap"]] > 0 else UNKNOWN
    customer[at["basket"]] = lines / visits
    customer[at["last_basket"]] = basket
    customer[at["assortment"]] = assortment
    customer[at["repeats"]] = 1 - assortment / lines


def _buy(purchases: Array, orders: Array, visits: float, visit_gap: float) -> None:
    """Changes the traits of h purchases, (h, a), by new orders of each, (h,), at one visit after so many."""
    at = {name: place for place, name in enumerate(PURCHASE)}
    now, before = orders > 0, purchases[:, at["orders"]]
    days = np.rint(purchases[:, at["share_of_visits"]] * visits) + now
    units = np.expm1(purchases[:, at["quantity"]]) * before + orders  # each new order is of one unit
    purchases[:, at["quantity"]] = np.log1p(units / (before + orders))
    purchases[:, [at[name] for name in ("orders", *DECAYED)]] += orders[:, None]
    purchases[now, at["since_last"]] = 0
    again = now & (days > 1)
    gap = purchases[:, at["gap"]]
    gap[now] = UNKNOWN
    gap[again] = purchases[again, at["since_first"]] / (days[again] - 1)
    purchases[:, at["gap_in_visits"]] = np.where(gap > 0, gap / max(visit_gap, 1), UNKNOWN)
    due = np.where(gap > 0, purchases[:, at["since_last"]] / np.maximum(gap, 1), UNKNOWN)
    purchases[:, at["due"]] = due
    purchases[:, at["share_of_visits"]] = days / (visits + 1)
    purchases[:, at["in_last_visit"]] = now
