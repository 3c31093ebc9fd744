"""A customer as known now: the bundle's data about the customer, and the customer's events since the fit.

The result is a bundle with one customer over the same products, so lanes, scorers and reasons use it like any
other bundle.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from serving.bundle.format import Array, Bundle, find_rows
from serving.live.served import Served
from serving.live.store import MICROSECONDS_PER_DAY
from serving.recommend import habits
from serving.recommend.fold_in import fold_in
from serving.recommend.lanes import LANES

ONLY_ROW = 0  # the row of the customer in a bundle of one customer
PURCHASE, DISMISSED = "purchase", "dismissed"


@dataclass(frozen=True)
class CustomerEvents:
    """m events of one customer."""

    product: Array  # (m,) int64, rows of products
    day: Array  # (m,) int64, days since 1970
    weight: Array  # (m,) float64, the contribution to the customer's taste, in orders

    def where(self, mask: Array) -> "CustomerEvents":
        """Returns the events selected by a mask, (m,) bool."""
        return CustomerEvents(self.product[mask], self.day[mask], self.weight[mask])


def current(served: Served, customer: str | None) -> tuple[Bundle, int | None]:
    """Returns the bundle to answer a customer from, and the customer's row in it, None if unknown.

    customer: a pseudonym, or None for an anonymous visitor.
    """
    return after(served, customer, events(served, customer))


def events(served: Served, customer: str | None) -> Sequence[Any]:
    """Returns a customer's events since the fit; none for an anonymous visitor."""
    return served.changes.events(customer) if served.changes and customer is not None else []


def after(served: Served, customer: str | None, events: Sequence[Any]) -> tuple[Bundle, int | None]:
    """Returns what `current` returns, after the given events of the customer."""
    if customer is None:
        return served.bundle, None
    bundle, row = served.bundle, served.bundle.customer(customer)
    if served.changes is None or not events:
        return bundle, row
    return with_events(bundle, row, customer, events, served.changes.weights)


def with_events(
    bundle: Bundle, row: int | None, customer: str, events: Sequence[Any], weights: dict[str, float]
) -> tuple[Bundle, int | None]:
    """Returns a bundle of one customer whose events are added to the bundle's data, and the customer's row.

    A purchase is ignored if the bundle holds one of the same product on the same day or later. Dismissed
    products are hidden; every other event adds to the customer's taste, and purchases add to the history.
    row: the customer's row in the bundle, None if unknown. weights: by kind of event.
    """
    rows = find_rows(bundle.products, [event.product for event in events]).tolist()
    known = [(event, product) for event, product in zip(events, rows, strict=True) if product >= 0]
    dismissed = [product for event, product in known if event.kind == DISMISSED]
    hidden = bundle.hidden
    if dismissed:
        hidden = hidden.copy()
        hidden[dismissed] = True
    own = bundle.history_rows(row) if row is not None else slice(0, 0)
    bought = _new_purchases(bundle, own, _selected(known, weights, [PURCHASE]))
    other_events = _selected(known, weights, [kind for kind in weights if kind != PURCHASE])
    if not len(bought.product) and not other_events.weight.any():
        return bundle.with_arrays(hidden=hidden), row
    arrays = _arrays(bundle, row, own, customer, bought, other_events)
    return bundle.with_arrays(hidden=hidden, **arrays), ONLY_ROW


def _selected(known: list[tuple[Any, int]], weights: dict[str, float], kinds: list[str]) -> CustomerEvents:
    """Returns the events of some kinds; known: events, each with the row of its product."""
    rows = [
        (product, event.at // MICROSECONDS_PER_DAY, weights[event.kind])
        for event, product in known
        if event.kind in kinds
    ]
    product, day, weight = zip(*rows, strict=True) if rows else ((), (), ())
    return CustomerEvents(np.array(product, np.int64), np.array(day, np.int64), np.array(weight, np.float64))


def _new_purchases(bundle: Bundle, own: slice, bought: CustomerEvents) -> CustomerEvents:
    """Returns the purchases that the bundle doesn't hold yet."""
    last = np.full(len(bundle.products), -1) if len(bought.product) else np.empty(0, np.int64)
    if len(last):
        last[bundle.history_product[own]] = bundle.history_last[own]
    return bought.where(bought.day > last[bought.product])


def _arrays(
    bundle: Bundle,
    row: int | None,
    own: slice,
    customer: str,
    bought: CustomerEvents,
    other_events: CustomerEvents,
) -> dict[str, Any]:
    """Returns the fields in which the customer's bundle differs from the bundle."""
    history, alpha = _history(bundle, own, bought), bundle.manifest["fold_in"]["alpha"]
    product = history["history_product"]
    arrays: dict[str, Any] = {
        "customers": np.array([customer.encode()]),
        "history_start": np.array([0, len(product)]),
        **history,
        "user_factors": _taste(bundle, product, history["history_weight"] / alpha, other_events)[None],
        **habits.traits_after_visit(bundle, row, own, product, bought.product),
    }
    if not len(product):  # the ranker and re-purchase score only customers with a purchase
        arrays["manifest"] = bundle.manifest | {"lanes": dict.fromkeys(LANES, "als")}
    if not bundle.popularity[product].all():  # a product without another buyer would be in no lane
        arrays["popularity"] = bundle.popularity.copy()
        arrays["popularity"][product] = np.maximum(bundle.popularity[product], 1)
    return arrays


def _history(bundle: Bundle, own: slice, bought: CustomerEvents) -> dict[str, Array]:
    """Returns the history arrays with the new purchases, sorted by product.

    Each new purchase counts as one order on the bundle's last day.
    """
    before, alpha = bundle.history_product[own], bundle.manifest["fold_in"]["alpha"]
    product = np.union1d(before, bought.product).astype(np.int32)
    kept, added = np.searchsorted(product, before), np.searchsorted(product, bought.product)

    def summed(array: Array, more: Array | float) -> Array:
        total = np.zeros(len(product), array.dtype)
        total[kept] = array[own]
        np.add.at(total, added, np.asarray(more, array.dtype))
        return total

    last = summed(bundle.history_last, 0)
    np.maximum.at(last, added, bought.day.astype(last.dtype))
    return {
        "history_product": product,
        "history_orders": summed(bundle.history_orders, 1),
        "history_last": last,
        "history_strength": summed(bundle.history_strength, 1),
        "history_weight": summed(bundle.history_weight, bought.weight * alpha),
    }


def _taste(bundle: Bundle, bought: Array, orders: Array, other_events: CustomerEvents) -> Array:
    """Returns the customer's factors, (k,), folded in from purchases and other events."""
    product, index = np.unique(np.concatenate([bought, other_events.product]), return_inverse=True)
    return fold_in(bundle, product, np.bincount(index, np.concatenate([orders, other_events.weight])))
