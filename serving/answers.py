"""What is answered: rows of the bundle turned into the JSON that a shop reads."""

from typing import Any

import numpy as np

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


def rules_of(bundle: Bundle, product: int) -> Array:
    """The places of the rules from a product to one that may be recommended, by falling confidence, (r,)."""
    places = np.arange(bundle.rule_start[product], bundle.rule_start[product + 1])
    return places[~bundle.hidden[bundle.rule_consequent[places]]]


def bought_together(bundle: Bundle, product: int, n: int, mask: Array) -> list[Json]:
    """At most n products bought with a product, by the confidence of the rule that says so.

    mask: (P,) bool, the products that may be answered; applied before the cut.
    """
    places = rules_of(bundle, product)
    places = places[mask[bundle.rule_consequent[places]]][:n]
    return [_by_rule(bundle, product, int(place)) for place in places]


def number(value: float) -> float:
    """A number, cut to the six digits that float32 is sure of."""
    return float(f"{value:.6g}")


def text(texts: Array, row: int) -> str | None:
    """One of the bundle's texts; null where it is empty."""
    return texts[row].decode() or None


def _item(bundle: Bundle, item: Item) -> Json:
    price = float(bundle.price[item.product])
    return named(bundle, item.product) | {
        "category": text(bundle.category, item.product),
        "brand": text(bundle.brand, item.product),
        "price": None if np.isnan(price) else price,
        "score": number(item.score),
        "reason": {"kind": item.kind, "because": [named(bundle, product) for product in item.because]},
    }


def _by_rule(bundle: Bundle, product: int, place: int) -> Json:
    confidence = float(bundle.rule_confidence[place])
    item = Item(int(bundle.rule_consequent[place]), confidence, "bought-together", (product,))
    return _item(bundle, item) | {
        "confidence": number(confidence),
        "lift": number(bundle.rule_lift[place]),
        "support": number(bundle.rule_support[place]),
        "count": int(bundle.rule_count[place]),
    }
