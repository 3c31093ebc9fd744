"""What is answered: rows of the bundle turned into the JSON that a shop reads."""

from functools import reduce
from typing import Any

import numpy as np

from serving.bundle.format import Array, Bundle
from serving.http.requests import ListQuery
from serving.live.served import Served
from serving.recommend.association_rules import Rule
from serving.recommend.recommender import Item

Json = dict[str, Any]


def allowed(bundle: Bundle, asked: ListQuery) -> Array:
    """True where a product may be answered, (P,) bool, never to be changed."""
    masks = [
        *([bundle.in_stock] if asked.in_stock else []),
        *([bundle.categories.under(asked.category)] if asked.category is not None else []),
        *([bundle.brands.under(asked.brand)] if asked.brand is not None else []),
        # No comparison is true of a price that isn't known.
        *([bundle.price >= asked.min_price] if asked.min_price is not None else []),
        *([bundle.price <= asked.max_price] if asked.max_price is not None else []),
        *([_without(bundle, asked.exclude)] if asked.exclude else []),
    ]
    return reduce(np.logical_and, masks) if masks else np.ones(len(bundle.products), bool)


def _without(bundle: Bundle, excluded: list[str]) -> Array:
    """True for all products but some, of which those that aren't known are passed over, (P,) bool."""
    mask = np.ones(len(bundle.products), bool)
    mask[rows_of(bundle, excluded)] = False
    return mask


def rows_of(bundle: Bundle, products: list[str]) -> list[int]:
    """The rows of the products that the catalogue has."""
    return [row for product in products if (row := bundle.product(product)) is not None]


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
        "in_stock": bool(bundle.in_stock[product]),
    }


def _item(bundle: Bundle, item: Item) -> Json:
    return card(bundle, item.product) | {
        "score": number(item.score),
        "reason": {"kind": item.kind, "because": [named(bundle, product) for product in item.because]},
        **({} if item.rule is None else _measures(item.rule)),
        **({} if item.moved_by is None else {"rule": item.moved_by}),
    }


def _measures(rule: Rule) -> Json:
    return {
        "confidence": number(rule.confidence),
        "lift": number(rule.lift),
        "support": number(rule.support),
        "count": rule.count,
    }
