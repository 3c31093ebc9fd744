"""The JSON of responses, built from rows of the bundle."""

from functools import reduce
from typing import Any

import numpy as np
import pydantic_core

from serving.bundle.format import Array, Bundle
from serving.http.requests import ListQuery
from serving.live.served import Served, StoreAlone
from serving.recommend.association_rules import Rule
from serving.recommend.recommender import Item

Json = dict[str, Any]


def allowed_mask(bundle: Bundle, query: ListQuery) -> Array:
    """Returns True for the products that pass a query's filters, (P,) bool. Read-only: may be shared."""
    masks = [
        *([bundle.in_stock] if query.in_stock else []),
        *([bundle.categories.mask(query.category)] if query.category is not None else []),
        *([bundle.brands.mask(query.brand)] if query.brand is not None else []),
        # An unknown price is NaN, which fails every comparison.
        *([bundle.price >= query.min_price] if query.min_price is not None else []),
        *([bundle.price <= query.max_price] if query.max_price is not None else []),
        *([_not_excluded(bundle, query.exclude)] if query.exclude else []),
    ]
    return reduce(np.logical_and, masks) if masks else np.ones(len(bundle.products), bool)


def _not_excluded(bundle: Bundle, excluded: list[str]) -> Array:
    """Returns False for the excluded products, (P,) bool. Unknown product ids are ignored."""
    mask = np.ones(len(bundle.products), bool)
    mask[product_rows(bundle, excluded)] = False
    return mask


def product_rows(bundle: Bundle, products: list[str]) -> list[int]:
    """Returns the rows of product ids. Unknown ids are left out."""
    return [row for product in products if (row := bundle.product(product)) is not None]


def to_json(value: Any) -> bytes:
    """Returns a value as JSON; a number that JSON doesn't know becomes null."""
    return pydantic_core.to_json(value, inf_nan_mode="null")


def with_version(served: Served | StoreAlone, **fields: Any) -> Json:
    """Returns a response body: the version of the model, null before the first one; then the given fields."""
    return {"model": {"version": served.version} if served.version else None} | fields


def product_reference(bundle: Bundle, product: int) -> Json:
    """Returns the id and the name of a product. An unknown name is null."""
    return {"product": bundle.products[product].decode(), "name": text_or_none(bundle.name, product)}


def group_name(bundle: Bundle, row: int | None) -> str | None:
    """Returns the name of a region (parameter `group`); None for no region."""
    return None if row is None else bundle.groups[row].decode()


def items(bundle: Bundle, recommended: list[Item]) -> list[Json]:
    """Returns recommended products with their catalogue data, score and reason."""
    return [_item(bundle, item) for item in recommended]


def purchases(bundle: Bundle, customer: int, n: int) -> list[Json]:
    """Returns the n products that a customer bought last, latest first, with orders and last day."""
    own = bundle.history_rows(customer)
    latest = np.argsort(-bundle.history_last[own], kind="stable")[:n] + own.start
    return [
        card(bundle, int(bundle.history_product[index]))
        | {
            "orders": int(bundle.history_orders[index]),
            "last_day": str(np.datetime64(int(bundle.history_last[index]), "D")),
        }
        for index in latest.tolist()
    ]


def rounded(value: float) -> float:
    """Returns a number rounded to six significant digits, the precision of float32."""
    return float(f"{value:.6g}")


def text_or_none(texts: Array, row: int) -> str | None:
    """Returns a text of the bundle; None if it is empty. texts: (P,) bytes."""
    return texts[row].decode() or None


def card(bundle: Bundle, product: int) -> Json:
    """Returns the catalogue data of a product. Unknown values are null."""
    price = float(bundle.price[product])
    return product_reference(bundle, product) | {
        "category": text_or_none(bundle.category, product),
        "brand": text_or_none(bundle.brand, product),
        "price": None if np.isnan(price) else price,
        "in_stock": bool(bundle.in_stock[product]),
    }


def _item(bundle: Bundle, item: Item) -> Json:
    because = [product_reference(bundle, product) for product in item.because]
    return card(bundle, item.product) | {
        "score": rounded(item.score),
        "reason": {"kind": item.kind, "because": because},
        **({} if item.rule is None else _rule_measures(item.rule)),
        **({} if item.moved_by is None else {"rule": item.moved_by}),
    }


def _rule_measures(rule: Rule) -> Json:
    return {
        "confidence": rounded(rule.confidence),
        "lift": rounded(rule.lift),
        "support": rounded(rule.support),
        "count": rule.count,
    }
