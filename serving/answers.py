"""What is answered: rows of the bundle turned into the JSON that a shop reads."""

from typing import Any

import numpy as np

from serving import rules
from serving.bundle import Array, Bundle
from serving.live import Served
from serving.recommender import Item

Json = dict[str, Any]


def allowed(
    bundle: Bundle, in_stock: bool = True, category: str | None = None, exclude: list[str] | None = None
) -> Array:
    """True where a product may be answered, (P,) bool."""
    mask = np.array(bundle.in_stock) if in_stock else np.ones(len(bundle.products), dtype=bool)
    if category is not None:
        mask &= bundle.category == category.encode()
    for product in exclude or []:
        if (row := bundle.product(product)) is not None:
            mask[row] = False
    return mask


def of(served: Served, **answer: Any) -> Json:
    """An answer and the model version that gave it."""
    return {"model": {"version": served.version}} | answer


def named(bundle: Bundle, product: int) -> Json:
    """A product's id and name; a name that isn't known is null."""
    return {"product": bundle.products[product].decode(), "name": text(bundle.name, product)}


def group(bundle: Bundle, row: int | None) -> str | None:
    """A group's name; null where the answer is of no group."""
    return None if row is None else bundle.groups[row].decode()


def items(bundle: Bundle, found: list[Item]) -> list[Json]:
    """Recommended products with what is known of them and why they are recommended."""
    return [_item(bundle, item) for item in found]


def bought_together(bundle: Bundle, cart: list[int], n: int, mask: Array) -> list[Json]:
    """At most n products that go with those of a cart, by the confidence of the rule that says so.

    cart: rows of the bundle. mask: (P,) bool, the products that may be answered; applied before the cut.
    """
    return [_by_rule(bundle, rule) for rule in rules.together(bundle, cart, n, mask)]


def purchases(bundle: Bundle, customer: int, n: int) -> list[Json]:
    """The products that a customer bought, with orders and the day of the last, at most n, the last first."""
    own = bundle.history_of(customer)
    latest = np.argsort(-bundle.history_last[own], kind="stable")[:n] + own.start
    return [
        card(bundle, int(bundle.history_product[place]))
        | {
            "orders": int(bundle.history_orders[place]),
            "last_day": str(np.datetime64(int(bundle.history_last[place]), "D")),
        }
        for place in latest.tolist()
    ]


def number(value: float) -> float:
    """A number, cut to the six digits that float32 is sure of."""
    return float(f"{value:.6g}")


def text(texts: Array, row: int) -> str | None:
    """One of the bundle's texts; null where it is empty."""
    return texts[row].decode() or None


def card(bundle: Bundle, product: int) -> Json:
    """What is known of a product; null where it isn't."""
    price = float(bundle.price[product])
    return named(bundle, product) | {
        "category": text(bundle.category, product),
        "brand": text(bundle.brand, product),
        "price": None if np.isnan(price) else price,
    }


def _item(bundle: Bundle, item: Item) -> Json:
    return card(bundle, item.product) | {
        "score": number(item.score),
        "reason": {"kind": item.kind, "because": [named(bundle, product) for product in item.because]},
    }


def _by_rule(bundle: Bundle, rule: rules.Rule) -> Json:
    item = Item(rule.consequent, rule.confidence, "bought-together", rule.antecedents)
    return _item(bundle, item) | {
        "confidence": number(rule.confidence),
        "lift": number(rule.lift),
        "support": number(rule.support),
        "count": rule.count,
    }
