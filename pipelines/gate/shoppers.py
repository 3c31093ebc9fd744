"""Example shoppers for the storefront: what was recommended at the cut, and what they bought after it.

They are selected only by what was known at the cut, never by how good their recommendations were.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import scipy.sparse as sp

from pipelines import columns as c
from pipelines import evaluate as evaluation
from pipelines.evaluate.windows import Windows
from pipelines.gate import conditions
from pipelines.prepare.interactions import Interactions, date_of
from serving.bundle.format import Array
from serving.http.overview import SHOPPERS
from serving.recommend.recommender import BASELINES

SOME_DAYS = 3  # days with purchases that show a habit
PAUSE_DAYS = 28  # days without a purchase that are a pause
TREND = BASELINES[1]
NONE_PLANTED: Mapping[str, list[str]] = MappingProxyType({})
MAX_BOUGHT = 30  # products per shopper, so that the page stays small


@dataclass(frozen=True)
class Past:
    """What n customers had bought at the cut; each array is (n,)."""

    days: Array  # int64, days with purchases
    units: Array  # float64, mean units per such day
    last: Array  # int64, last day with a purchase, since 1970
    category: Array  # str, the category bought most; empty if no product has one
    share: Array  # float64, share of the purchases in that category


def example_shoppers(
    measures: pa.Table,
    known: Interactions,
    products: pa.Table,
    cut: Windows,
    planted: Mapping[str, list[str]] = NONE_PLANTED,
) -> dict[str, Any]:
    """Returns one customer of each kind, with products recommended at the cut and bought after it, as JSON.

    measures: the table `evaluation` of a nightly run. known: all its interactions, over `products`. planted:
    the preferences that the demo shop gave its customers, by pseudonym.
    """
    lists = evaluation.known_only(_rows(measures, conditions.CHALLENGER)).sort_by(c.CUSTOMER)
    customers = np.array(lists[c.CUSTOMER].to_pylist(), dtype=np.bytes_)
    before, truth = known.until(cut.validation), known.bought(cut.validation, cut.test)
    past = _past(before, np.searchsorted(before.customers, customers), products)
    top = lists[evaluation.TOP]
    return {
        "cut": str(date_of(cut.validation)),
        "until": str(date_of(cut.test)),
        "popular": _ids(known, _rows(measures, TREND)[evaluation.TOP].slice(0, 1).to_pylist()),
        SHOPPERS: [
            {
                "kind": kind,
                "customer": customers[row].decode(),
                **_description(past, row),
                "planted": planted.get(customers[row].decode(), []),
                "recommended": _ids(known, top.slice(row, 1).to_pylist()),
                "bought": _ids(known, [_bought(truth, customers[row])]),
            }
            for kind, row in _select(past, cut.validation).items()
        ],
    }


def _rows(measures: pa.Table, model: str) -> pa.Table:
    """Returns the measures of a model in the main lane."""
    return measures.filter(
        pc.and_(
            pc.equal(measures[evaluation.MODEL], model), pc.equal(measures[evaluation.LANE], conditions.MAIN)
        )
    )


def _past(before: Interactions, rows: Array, products: pa.Table) -> Past:
    """Returns the past of some customers, (n,) rows of `before`."""
    size, purchased = len(before.customers), before.matrix(np.ones(len(before.day)))[rows]
    customer, _ = np.unique(np.stack([before.customer, before.day]), axis=1)
    days, last = np.bincount(customer, minlength=size), np.zeros(size, np.int64)
    np.maximum.at(last, before.customer, before.day)
    names, category = np.unique(
        [text or "" for text in products[c.CATEGORY].to_pylist()], return_inverse=True
    )
    labels = sp.coo_matrix(((names != "")[category], (np.arange(len(category)), category))).tocsr()
    by_category = (purchased @ labels.astype(np.float32)).toarray()
    return Past(
        days=days[rows],
        units=np.bincount(before.customer, before.quantity, size)[rows] / days[rows],
        last=last[rows],
        category=names[by_category.argmax(axis=1)],
        share=by_category.max(axis=1) / purchased.sum(axis=1).A1,
    )


def _select(past: Past, cut: int) -> dict[str, int]:
    """Returns the row of the most typical customer of each kind; each customer is selected once.

    Ties go to the first customer; customers are sorted by pseudonym, so that is a random one.
    """
    often, pause = past.days >= SOME_DAYS, cut - past.last
    kinds = {
        "once": (past.days == 1, np.zeros(len(pause))),
        "loyal": (often & (past.share > 0), past.share + past.days / 1e6),
        "bulk": (often, past.units),
        "returning": (often & (pause >= PAUSE_DAYS), pause),
    }
    selected: dict[str, int] = {}
    for kind, (eligible, value) in kinds.items():
        rows = np.setdiff1d(np.flatnonzero(eligible), list(selected.values()))
        if len(rows):
            selected[kind] = int(rows[np.argmax(value[rows])])
    return selected


def _description(past: Past, row: int) -> dict[str, Any]:
    return {
        "days": int(past.days[row]),
        "units": round(float(past.units[row]), 1),
        "last_day": str(date_of(past.last[row])),
        "category": str(past.category[row]) or None,
        "share": round(float(past.share[row]), 3),
    }


def _bought(truth: Interactions, customer: bytes) -> list[int]:
    """Returns the rows of products that a customer bought in the window, by day."""
    own = truth.where(truth.customer == np.searchsorted(truth.customers, customer))
    return list(dict.fromkeys(own.product[np.argsort(own.day, kind="stable")].tolist()))[:MAX_BOUGHT]


def _ids(known: Interactions, lists: list[list[int]]) -> list[str]:
    """Returns product ids for lists of product rows."""
    return [known.products[row].decode() for rows in lists for row in rows]
