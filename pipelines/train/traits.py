"""Features of purchases, customers and products for the ranker, computed at a cut."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pipelines.prepare.interactions import Interactions
from pipelines.prepare.sorted_arrays import distinct
from pipelines.train.past import YEAR, Past, Visits, highest_by_index, look_back, mean_gap, visits_of
from pipelines.train.repurchase import History
from serving.bundle.format import Array
from serving.bundle.traits import CUSTOMER, PRODUCT, PURCHASE, UNKNOWN

QUARTER, MONTH = 90, 28
SEASON_MARGIN = 14  # days before and after the same month a year ago that count as the season
PURCHASE_HALF_LIVES = (7, 30, 90, 365)
BUYER_HALF_LIVES = {"buyers_3d": 3.5, "buyers_7d": 7, "buyers_14d": 14, "buyers_30d": 30, "buyers_90d": 90}
BUYER_WINDOWS = {"week": 7, "fortnight": 14, "month": MONTH, "quarter": QUARTER, "year": 365}
# trait -> how many of its highest products are candidates for every customer
LEADING = {"buyers_30d": 150, "season_expected": 100}


@dataclass(frozen=True)
class Traits:
    """Feature columns, named in `serving.bundle.traits`, that are known before a request."""

    purchases: Array  # (H, a) float32
    customers: Array  # (C, b) float32
    products: Array  # (P, d) float32

    def leading(self) -> Array:
        """Returns the products that lead the trend or the season, (L,) int32."""
        highest = [
            np.argsort(-self.products[:, PRODUCT.index(name)], kind="stable")[:count]
            for name, count in LEADING.items()
        ]
        return np.unique(np.concatenate(highest)).astype(np.int32)


def traits(known: Interactions, history: History) -> Traits:
    """Returns the features of the interactions known at a cut."""
    past = look_back(known, history)
    visits = visits_of(past)
    return Traits(
        _table(_purchases(past, visits), PURCHASE),
        _table(_customers(past, visits), CUSTOMER),
        _table(_products(past), PRODUCT),
    )


def _purchases(past: Past, visits: Visits) -> dict[str, Array]:
    """Returns the features of PURCHASE by name, (H,) each."""
    size = len(past.orders)
    gap = mean_gap(past.since_first, past.since_last, past.days)
    units = np.bincount(past.entry, past.known.quantity, size)
    season = past.a_year_ago(-SEASON_MARGIN, MONTH + SEASON_MARGIN)
    decayed = {
        f"orders_{days}d": np.bincount(past.entry, past.known.orders * 0.5 ** (past.age / days), size)
        for days in PURCHASE_HALF_LIVES
    }
    return decayed | {
        "orders": past.orders,
        "since_last": past.since_last,
        "since_first": past.since_first,
        "gap": gap,
        "gap_in_visits": np.where(gap > 0, gap / np.maximum(visits.gap[past.owner], 1), UNKNOWN),
        "due": _due(past.since_last, gap),
        "share_of_visits": past.days / visits.count[past.owner],
        "season": np.bincount(past.entry[season], minlength=size),
        "quantity": np.log1p(units / past.orders),
        "in_last_visit": past.since_last == visits.since_last[past.owner],
    }


def _customers(past: Past, visits: Visits) -> dict[str, Array]:
    """Returns the features of CUSTOMER by name, (C,) each."""
    customer, count = past.known.customer, len(past.known.customers)
    lines = np.bincount(customer, minlength=count)
    assortment = np.bincount(past.owner, minlength=count)
    is_last = past.age == visits.since_last[customer]
    season = past.a_year_ago(0, MONTH)
    decayed = {
        f"visits_{days}d": np.bincount(visits.customer, 0.5 ** (visits.age / days), count)
        for days in (30, 90)
    }
    return decayed | {
        "visits": visits.count,
        "since_visit": visits.since_last,
        "tenure": visits.since_first,
        "visit_gap": visits.gap,
        "visit_due": _due(visits.since_last, visits.gap),
        "basket": lines / visits.count,
        "last_basket": np.bincount(customer[is_last], minlength=count),
        "assortment": assortment,
        "repeats": 1 - assortment / lines,
        "season_lines": np.bincount(customer[season], minlength=count),
    }


def _products(past: Past) -> dict[str, Array]:
    """Returns the features of PRODUCT by name, (P,) each."""
    known, width = past.known, len(past.known.products)
    lines = np.bincount(known.product, minlength=width)
    is_first, quarter = past.age == past.since_first[past.entry], past.age < QUARTER
    buyers = np.bincount(past.product, minlength=width)
    since_sale = np.full(width, past.age.max(initial=0))
    np.minimum.at(since_sale, known.product, past.age)
    new_quarter = np.bincount(known.product[is_first & quarter], minlength=width)
    return _buyers(past) | {
        "age": highest_by_index(known.product, past.age, width),
        "since_sale": since_sale,
        "buys_again": np.bincount(past.product, past.days > 1, width) / np.maximum(buyers, 1),
        "again_quarter": 1
        - new_quarter / np.maximum(np.bincount(known.product[quarter], minlength=width), 1),
        "new_month": np.bincount(known.product[is_first & (past.age < MONTH)], minlength=width),
        "new_quarter": new_quarter,
        "units": np.bincount(known.product, np.log1p(known.quantity), width) / np.maximum(lines, 1),
    }


def _buyers(past: Past) -> dict[str, Array]:
    """Returns distinct buyers of each product: decayed, in recent windows, and around now a year ago."""

    def count(purchases: Array | slice, weight: Array | None = None) -> Array:
        return np.bincount(past.product[purchases], weight, len(past.known.products))

    def count_rows(rows: Array) -> Array:
        return count(distinct(past.entry[rows]))

    buyers = {
        name: count(slice(None), 0.5 ** (past.since_last / days)) for name, days in BUYER_HALF_LIVES.items()
    }
    buyers |= {name: count(past.since_last < days) for name, days in BUYER_WINDOWS.items()}
    before = count_rows((past.age >= MONTH) & (past.age < 2 * MONTH))
    ahead, now, later = (count_rows(past.a_year_ago(day, day + MONTH)) for day in (0, -MONTH, MONTH))
    around = count_rows(past.a_year_ago(-YEAR // 2, YEAR // 2))
    return buyers | {
        "buyers": count(slice(None)),
        "month_before": before,
        "growth": (buyers["month"] + 1) / (before + 1),
        "growth_quarter": (buyers["month"] * QUARTER / MONTH + 1) / (buyers["quarter"] + 1),
        "season_next": ahead,
        "season_now": now,
        "season_later": later,
        "season_ratio": (ahead * YEAR / MONTH + 1) / (around + 1),
        "season_growth": (ahead + 1) / (now + 1),
        "season_expected": (buyers["month"] + 1) * (ahead + 1) / (now + 1),
    }


def _due(since_last: Array, gap: Array) -> Array:
    """Returns the time since the last event in units of the mean gap: 1 if the next event is due now.

    UNKNOWN where the gap is UNKNOWN.
    """
    return np.where(gap > 0, since_last / np.maximum(gap, 1), UNKNOWN)


def _table(columns: Mapping[str, Array], names: tuple[str, ...]) -> Array:
    table = np.empty((len(columns[names[0]]), len(names)), np.float32)
    for column, name in enumerate(names):
        table[:, column] = columns[name]
    return table
