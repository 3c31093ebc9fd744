"""Compares the shop's orders, customers and catalogue with those of the last run that passed."""

import datetime as dt
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from expectations.measure import Measure
from pipelines import columns as c
from pipelines.validate import waterfall as w
from pipelines.validate.measures import usual
from pipelines.validate.profile import COPIES, CUSTOMERS, KNOWN, LAST_DAY, SAMPLE
from pipelines.validate.sequence import LAST_WEEKS, Days

MIN_DAY_LINES = 20  # days with fewer order lines don't count for `lost_day`
END = "~"  # sorts after every pseudonym


def order_measures(then: Days, now: Days, until: dt.date, as_of: dt.date) -> Iterator[Measure]:
    """Yields measures of the order lines lost and added since the last run, on the days up to `until`.

    then, now: the profile that the last run saved, and the profile of this run.
    """
    days = then.index.union(now.index)
    days = days[days <= pd.Timestamp(until)]
    before, after = (profile.reindex(days, fill_value=0) for profile in (then[w.LINES], now[w.LINES]))
    recent = days > pd.Timestamp(until) - LAST_WEEKS
    gone, added = (before - after).clip(lower=0), (after - before).clip(lower=0)
    lost = max(_share(gone, before), _share(gone[recent], before[recent]))
    yield Measure("lost_lines", as_of, lost, f"{lost:.1%} of the order lines that the last run read are gone")
    large = recent & (before >= MIN_DAY_LINES)
    emptied = float((gone / before)[large].max()) if any(large) else 0.0
    message = f"{emptied:.0%} of one day's order lines that the last run read are gone"
    yield Measure("lost_day", as_of, emptied, message)
    share = _share(added, before)
    message = f"{share:.1%} more order lines on days already validated"
    yield Measure("added_lines", as_of, share, message)
    yield _copied_later(then, now, days[recent], as_of)


def _copied_later(then: Days, now: Days, recent: "pd.Index[Any]", as_of: dt.date) -> Measure:
    """Returns the new copies of orders on days already validated, divided by a day's usual orders."""
    old, new = (profile[COPIES].reindex(recent, fill_value=0) for profile in (then, now))
    copies = float((new - old).clip(lower=0).sum())
    message = f"{copies:,.0f} orders of days already validated were delivered again under other ids"
    orders_per_day = float(then[c.ORDERS].reindex(recent).mean())
    return Measure("copied_later", as_of, copies / max(orders_per_day, 1.0), message)


def customer_measures(
    then: pa.Table, now: pa.Table, days: Days, checked_days: list[dt.date]
) -> Iterator[Measure]:
    """Yields the share of the last run's customers that still exist, and of recent customers it knew.

    then, now: samples of customers, sorted by pseudonym. If a sample is full, only customers that sort before
    its last customer can be looked up in it. The second share is divided by the usual share of returning
    customers. The sample `then` is empty after a change of the identity rule.
    """
    before, as_of = set(then[c.CUSTOMER].to_pylist()), checked_days[-1]
    after = dict(zip(now[c.CUSTOMER].to_pylist(), now[LAST_DAY].to_pylist(), strict=True))
    end = max(after, default="") if len(after) == 2 * SAMPLE else END
    comparable = [customer for customer in before if customer <= end]
    if comparable:
        share = sum(customer in after for customer in comparable) / len(comparable)
        yield Measure(
            "recognised", as_of, share, f"{share:.0%} of the last run's customers are still in the orders"
        )
    end = max(before, default="") if len(before) == SAMPLE else END
    recent = [customer for customer, day in after.items() if customer <= end and day >= checked_days[0]]
    usual_share = usual(days[KNOWN] / days[CUSTOMERS], as_of, checked_days[0], "ratio")
    if before and recent and usual_share and usual_share[0]:
        median, spread = usual_share
        share = sum(customer in before for customer in recent) / len(recent)
        message = f"the last run knew {share:.0%} of the recent customers, usual is {median:.0%}"
        yield Measure("known_before", as_of, share / median, message, "ratio", spread)


def catalogue_measures(then: pa.Table | None, now: pa.Table, as_of: dt.date) -> Iterator[Measure]:
    """Yields measures of the catalogue, and of its changes if the catalogue of the last run is known.

    then, now: tables with the columns of the catalogue, one row per product.
    """
    catalogue = now.to_pandas()
    garbled = float(np.mean([_is_garbled(name) for name in catalogue[c.NAME].dropna()] or [False]))
    unnamed = float((catalogue[c.NAME].fillna("").str.strip() == "").mean()) if len(catalogue) else 1.0
    yield Measure("listed", as_of, float(len(catalogue)), f"the catalogue lists {len(catalogue):,} products")
    yield Measure("garbled_names", as_of, garbled, f"{garbled:.1%} of the product names are garbled")
    yield Measure("unnamed", as_of, unnamed, f"{unnamed:.1%} of the products have no name")
    if then is not None and then.num_rows:
        yield from _change_measures(then.to_pandas(), catalogue, as_of)


def _change_measures(then: pd.DataFrame, now: pd.DataFrame, as_of: dt.date) -> Iterator[Measure]:
    before, after = (set(table[c.PRODUCT][table[c.IN_STOCK].eq(True)]) for table in (then, now))
    if before:
        kept = len(before & after) / len(before)
        message = f"{kept:.0%} of the products in stock at the last run still are"
        yield Measure("in_stock", as_of, kept, message)
    both = then.merge(now, on=c.PRODUCT, suffixes=("_then", "_now"))
    names = both.dropna(subset=[f"{c.NAME}_then"])
    renamed = float((names[f"{c.NAME}_then"] != names[f"{c.NAME}_now"]).mean()) if len(names) else 0.0
    yield Measure("renamed", as_of, renamed, f"{renamed:.1%} of the products were renamed")
    categorised = both.dropna(subset=[f"{c.CATEGORY}_then"])
    lost = float(categorised[f"{c.CATEGORY}_now"].isna().mean()) if len(categorised) else 0.0
    yield Measure("unfiled", as_of, lost, f"{lost:.1%} of the products lost their category")
    prices = both[[f"{c.PRICE}_then", f"{c.PRICE}_now"]].dropna()
    prices = prices[(prices > 0).all(axis=1)]
    if len(prices):
        level = float((prices[f"{c.PRICE}_now"] / prices[f"{c.PRICE}_then"]).median())
        yield Measure("listed_prices", as_of, level, f"listed prices are {level:.2f} times the last run's")


def _share(part: "pd.Series[float]", whole: "pd.Series[float]") -> float:
    return float(part.sum() / whole.sum()) if whole.sum() else 0.0


def _is_garbled(name: str) -> bool:
    """Returns whether a name holds the replacement character or is UTF-8 decoded as Windows-1252."""
    if "\N{REPLACEMENT CHARACTER}" in name:
        return True
    try:
        return not name.isascii() and not b"".join(map(_western_byte, name)).decode().isascii()
    except UnicodeError:
        return False


def _western_byte(letter: str) -> bytes:
    """Returns a letter's byte in Windows-1252, or in Latin-1 if Windows-1252 leaves the byte undefined."""
    try:
        return letter.encode("cp1252")
    except UnicodeEncodeError:
        return letter.encode("latin-1")
