"""Backtest: measures a bundle on the purchases since it was fitted."""

import datetime as dt
from dataclasses import replace

import pyarrow as pa

from pipelines.evaluate import evaluate
from pipelines.prepare.interactions import Interactions, day_number
from pipelines.prepare.sorted_arrays import locate
from serving.bundle.format import Array, Bundle


def evaluate_since(bundle: Bundle, known: Interactions, model: str) -> pa.Table:
    """Returns the measures of a bundle on all purchases after the last day that it knows."""
    return evaluate(bundle, over_products(purchases_after(known, last_day(bundle)), bundle.products), model)


def last_day(bundle: Bundle) -> int:
    """Returns the last day that a bundle knows, as days since 1970."""
    return day_number(dt.date.fromisoformat(bundle.manifest["window"]["last_day"]))


def purchases_after(known: Interactions, day: int) -> Interactions:
    """Returns the purchases after a day."""
    return known.bought(day, int(known.day.max(initial=day)))


def over_products(truth: Interactions, products: Array) -> Interactions:
    """Returns the purchases of the given products, (P,) sorted bytes, as rows of these ids."""
    row, is_known = locate(products, truth.products)
    rows = truth.where(is_known[truth.product])
    return replace(rows, products=products, product=row[rows.product])
