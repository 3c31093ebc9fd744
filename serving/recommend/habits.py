"""Updates the ranker's traits of a customer with the purchases since the bundle was trained.

Training computes traits from all purchases (`pipelines.train.traits`). This computes the same traits from the
bundle's and the new purchases, as if the new purchases were one more visit on the bundle's last day.
"""

import numpy as np

from serving.bundle.format import Array, Bundle
from serving.bundle.traits import CUSTOMER, PURCHASE, UNKNOWN

DECAYED = ("orders_7d", "orders_30d", "orders_90d", "orders_365d")
VISITS = ("visits", "visits_30d", "visits_90d")


def traits_after_visit(
    bundle: Bundle, row: int | None, own: slice, product: Array, bought: Array
) -> dict[str, Array]:
    """Returns `history_traits`, (h, a) float32, and `customer_traits`, (1, b) float32, after a visit.

    row: the customer's row, or None for a new customer. own: the customer's history rows, empty for a new
    customer. product: (h,) integers, all products that the customer has bought, ascending. bought: (m,)
    integers, the products bought since, one entry for each order.
    """
    purchases = np.zeros((len(product), bundle.history_traits.shape[1]), np.float32)
    customer = np.zeros((1, bundle.customer_traits.shape[1]), np.float32)
    if row is not None:
        customer[0] = bundle.customer_traits[row]
        purchases[np.searchsorted(product, bundle.history_product[own])] = bundle.history_traits[own]
    if len(bought) and purchases.shape[1]:  # a bundle without a ranker has no traits
        visits = float(customer[0, CUSTOMER.index("visits")])
        orders = np.bincount(np.searchsorted(product, bought), minlength=len(product))
        _update_customer(customer[0], len(product), np.unique(bought).size)
        _update_purchases(purchases, orders, visits, float(customer[0, CUSTOMER.index("visit_gap")]))
    return {"history_traits": purchases, "customer_traits": customer}


def _update_customer(customer: Array, assortment: int, basket: int) -> None:
    """Updates the traits of a customer, (b,), in place, by a visit with `basket` products."""
    column = {name: index for index, name in enumerate(CUSTOMER)}
    lines = customer[column["basket"]] * customer[column["visits"]] + basket
    customer[[column[name] for name in VISITS]] += 1
    visits = customer[column["visits"]]
    customer[column["since_visit"]] = 0
    customer[column["visit_gap"]] = customer[column["tenure"]] / (visits - 1) if visits > 1 else UNKNOWN
    customer[column["visit_due"]] = 0 if customer[column["visit_gap"]] > 0 else UNKNOWN
    customer[column["basket"]] = lines / visits
    customer[column["last_basket"]] = basket
    customer[column["assortment"]] = assortment
    customer[column["repeats"]] = 1 - assortment / lines


def _update_purchases(purchases: Array, orders: Array, visits: float, visit_gap: float) -> None:
    """Updates the traits of h purchases, (h, a), in place, by one visit.

    orders: (h,) new orders of each product. visits: the visits before this one. visit_gap: the customer's
    mean days between visits.
    """
    column = {name: index for index, name in enumerate(PURCHASE)}
    is_bought, before = orders > 0, purchases[:, column["orders"]]
    days = np.rint(purchases[:, column["share_of_visits"]] * visits) + is_bought
    units = np.expm1(purchases[:, column["quantity"]]) * before + orders  # each new order is of one unit
    purchases[:, column["quantity"]] = np.log1p(units / (before + orders))
    purchases[:, [column[name] for name in ("orders", *DECAYED)]] += orders[:, None]
    purchases[is_bought, column["since_last"]] = 0
    is_repeat = is_bought & (days > 1)
    gap = purchases[:, column["gap"]]
    gap[is_bought] = UNKNOWN
    gap[is_repeat] = purchases[is_repeat, column["since_first"]] / (days[is_repeat] - 1)
    purchases[:, column["gap_in_visits"]] = np.where(gap > 0, gap / max(visit_gap, 1), UNKNOWN)
    due = np.where(gap > 0, purchases[:, column["since_last"]] / np.maximum(gap, 1), UNKNOWN)
    purchases[:, column["due"]] = due
    purchases[:, column["share_of_visits"]] = days / (visits + 1)
    purchases[:, column["in_last_visit"]] = is_bought
