"""Customers as they are now: what the bundle knows of them, and what they did since.

The view of a customer is a bundle of one customer over the same products, so that lanes, scorers and reasons
answer from it as from any other.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from serving.bundle.format import Array, Bundle, positions
from serving.live.changes import view
from serving.live.served import Served
from serving.live.store import DAY
from serving.recommend import habits
from serving.recommend.fold_in import fold_in
from serving.recommend.recommender import LANES

ONLY = 0  # the row of the one customer of a view
BOUGHT, DISMISSED = "purchase", "dismissed"


@dataclass(frozen=True)
class Done:
    """m events of a customer: rows of products, days since 1970, what each adds to the taste, in orders."""

    product: Array
    day: Array
    weight: Array

    def where(self, wanted: Array) -> "Done":
        """Some of the events."""
        return Done(self.product[wanted], self.day[wanted], self.weight[wanted])


def now(served: Served, customer: str) -> tuple[Bundle, int | None]:
    """The bundle to answer a customer from, and the customer's row in it; None for a stranger.

    customer: a pseudonym.
    """
    bundle, row = served.bundle, served.bundle.customer(customer)
    if served.changes is None or not (found := served.changes.events(customer)):
        return bundle, row
    return joined(bundle, row, customer, found, served.changes.weights)


def joined(
    bundle: Bundle, row: int | None, customer: str, events: Sequence[Any], weights: dict[str, float]
) -> tuple[Bundle, int | None]:
    """The view of a customer with events beside the bundle's own rows; with those alone where row is None.

    A purchase that the bundle holds, of the same product and day or a later one, isn't counted again. What
    was dismissed is hidden; all else adds to the taste, and purchases to the history too. weights: by kind.
    """
    places = positions(bundle.products, [event.product for event in events]).tolist()
    known = [(event, at) for event, at in zip(events, places, strict=True) if at >= 0]
    dismissed = [at for event, at in known if event.kind == DISMISSED]
    hidden = bundle.hidden
    if dismissed:
        hidden = hidden.copy()
        hidden[dismissed] = True
    own = bundle.history_of(row) if row is not None else slice(0, 0)
    bought = _new(bundle, own, _done(known, weights, [BOUGHT]))
    touched = _done(known, weights, [kind for kind in weights if kind != BOUGHT])
    if not len(bought.product) and not touched.weight.any():
        return view(bundle, hidden=hidden), row
    return view(bundle, hidden=hidden, **_arrays(bundle, row, own, customer, bought, touched)), ONLY


def _done(known: list[tuple[Any, int]], weights: dict[str, float], kinds: list[str]) -> Done:
    rows = [(at, event.at // DAY, weights[event.kind]) for event, at in known if event.kind in kinds]
    product, day, weight = zip(*rows, strict=True) if rows else ((), (), ())
    return Done(np.array(product, np.int64), np.array(day, np.int64), np.array(weight, np.float64))


def _new(bundle: Bundle, own: slice, bought: Done) -> Done:
    """The purchases that the bundle doesn't hold yet."""
    last = np.full(len(bundle.products), -1) if len(bought.product) else np.empty(0, np.int64)
    if len(last):
        last[bundle.history_product[own]] = bundle.history_last[own]
    return bought.where(bought.day > last[bought.product])


def _arrays(
    bundle: Bundle, row: int | None, own: slice, customer: str, bought: Done, touched: Done
) -> dict[str, Any]:
    """What a view holds in place of the bundle's arrays and manifest."""
    history, alpha = _history(bundle, own, bought), bundle.manifest["fold_in"]["alpha"]
    product = history["history_product"]
    arrays: dict[str, Any] = {
        "customers": np.array([customer.encode()]),
        "history_start": np.array([0, len(product)]),
        **history,
        "user_factors": _taste(bundle, product, history["history_weight"] / alpha, touched)[None],
        **habits.after_a_visit(bundle, row, own, product, bought.product),
    }
    if not len(product):  # the ranker and re-purchase know only those who bought
        arrays["manifest"] = bundle.manifest | {"lanes": dict.fromkeys(LANES, "als")}
    if not bundle.popularity[product].all():  # else what nobody else has bought would be in no lane
        arrays["popularity"] = bundle.popularity.copy()
        arrays["popularity"][product] = np.maximum(bundle.popularity[product], 1)
    return arrays


def _history(bundle: Bundle, own: slice, bought: Done) -> dict[str, Array]:
    """The history with what was bought since, each as an order of the bundle's last day; products ascend."""
    before, alpha = bundle.history_product[own], bundle.manifest["fold_in"]["alpha"]
    product = np.union1d(before, bought.product).astype(np.int32)
    kept, added = np.searchsorted(product, before), np.searchsorted(product, bought.product)

    def summed(array: Array, more: Array | float) -> Array:
        found = np.zeros(len(product), array.dtype)
        found[kept] = array[own]
        np.add.at(found, added, np.asarray(more, array.dtype))
        return found

    last = summed(bundle.history_last, 0)
    np.maximum.at(last, added, bought.day.astype(last.dtype))
    return {
        "history_product": product,
        "history_orders": summed(bundle.history_orders, 1),
        "history_last": last,
        "history_strength": summed(bundle.history_strength, 1),
        "history_weight": summed(bundle.history_weight, bought.weight * alpha),
    }


def _taste(bundle: Bundle, bought: Array, orders: Array, touched: Done) -> Array:
    """The factors of what was bought and touched, (k,)."""
    products, place = np.unique(np.concatenate([bought, touched.product]), return_inverse=True)
    return fold_in(bundle, products, np.bincount(place, np.concatenate([orders, touched.weight])))
