"""A few customers who show how the model does: what it recommended them unseen, and what they bought then.

They are chosen by what was known before the test window alone, never by how well they were served.
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

SOME_DAYS = 3  # of purchases, from which on a habit can be told
PAUSE_DAYS = 28
TREND = BASELINES[1]
NOTHING: Mapping[str, list[str]] = MappingProxyType({})
MOST = 30  # of the products that one of them bought, so that the page stays small


@dataclass(frozen=True)
class Past:
    """What n judged customers had bought at the cut; each array has an entry per customer."""

    days: Array  # of purchases
    units: Array  # on such a day, in the mean
    last: Array  # day since 1970
    category: Array  # str, most bought; empty where there is none
    share: Array  # of the purchases that are of it


def example_shoppers(
    judged: pa.Table,
    known: Interactions,
    products: pa.Table,
    cut: Windows,
    planted: Mapping[str, list[str]] = NOTHING,
) -> dict[str, Any]:
    """One customer of each kind, with products recommended at the cut and bought after it, as plain JSON.

    judged: the table `evaluation` of a night. known: all its interactions, over `products`. planted: what a
    simulated shop made its customers like, by pseudonym.
    """
    answered = evaluation.known_only(_rows(judged, conditions.CHALLENGER)).sort_by(c.CUSTOMER)
    customers = np.array(answered[c.CUSTOMER].to_pylist(), dtype=np.bytes_)
    before, truth = known.until(cut.validation), known.bought(cut.validation, cut.test)
    past = _past(before, np.searchsorted(before.customers, customers), products)
    top = answered[evaluation.TOP]
    return {
        "cut": str(date_of(cut.validation)),
        "until": str(date_of(cut.test)),
        "popular": _ids(known, _rows(judged, TREND)[evaluation.TOP].slice(0, 1).to_pylist()),
        SHOPPERS: [
            {
                "kind": kind,
                "customer": customers[row].decode(),
                **_told(past, row),
                "planted": planted.get(customers[row].decode(), []),
                "recommended": _ids(known, top.slice(row, 1).to_pylist()),
                "bought": _ids(known, [_bought(truth, customers[row])]),
            }
            for kind, row in _chosen(past, cut.validation).items()
        ],
    }


def _rows(judged: pa.Table, model: str) -> pa.Table:
    """What a model answered in the lane that says most."""
    return judged.filter(
        pc.and_(pc.equal(judged[evaluation.MODEL], model), pc.equal(judged[evaluation.LANE], conditions.MAIN))
    )


def _past(before: Interactions, rows: Array, products: pa.Table) -> Past:
    """rows: (n,) of the customers among those known before the cut."""
    size, purchased = len(before.customers), before.matrix(np.ones(len(before.day)))[rows]
    customer, _ = np.unique(np.stack([before.customer, before.day]), axis=1)
    days, last = np.bincount(customer, minlength=size), np.zeros(size, np.int64)
    np.maximum.at(last, before.customer, before.day)
    names, of = np.unique([text or "" for text in products[c.CATEGORY].to_pylist()], return_inverse=True)
    filed = sp.coo_matrix(((names != "")[of], (np.arange(len(of)), of))).tocsr().astype(np.float32)
    within = (purchased @ filed).toarray()
    return Past(
        days=days[rows],
        units=np.bincount(before.customer, before.quantity, size)[rows] / days[rows],
        last=last[rows],
        category=names[within.argmax(axis=1)],
        share=within.max(axis=1) / purchased.sum(axis=1).A1,
    )


def _chosen(past: Past, cut: int) -> dict[str, int]:
    """The row of the customer who is most of each kind; of equal ones the first, and nobody twice.

    Customers are in the order of their pseudonyms, so that the first is any.
    """
    often, pause = past.days >= SOME_DAYS, cut - past.last
    kinds = {
        "once": (past.days == 1, np.zeros(len(pause))),
        "loyal": (often & (past.share > 0), past.share + past.days / 1e6),
        "bulk": (often, past.units),
        "returning": (often & (pause >= PAUSE_DAYS), pause),
    }
    found: dict[str, int] = {}
    for kind, (among, most) in kinds.items():
        rows = np.setdiff1d(np.flatnonzero(among), list(found.values()))
        if len(rows):
            found[kind] = int(rows[np.argmax(most[rows])])
    return found


def _told(past: Past, row: int) -> dict[str, Any]:
    return {
        "days": int(past.days[row]),
        "units": round(float(past.units[row]), 1),
        "last_day": str(date_of(past.last[row])),
        "category": str(past.category[row]) or None,
        "share": round(float(past.share[row]), 3),
    }


def _bought(truth: Interactions, customer: bytes) -> list[int]:
    """The products that a customer bought in the window, the first days first."""
    own = truth.where(truth.customer == np.searchsorted(truth.customers, customer))
    return list(dict.fromkeys(own.product[np.argsort(own.day, kind="stable")].tolist()))[:MOST]


def _ids(known: Interactions, lists: list[list[int]]) -> list[str]:
    """The ids of products by their rows."""
    return [known.products[row].decode() for rows in lists for row in rows]
