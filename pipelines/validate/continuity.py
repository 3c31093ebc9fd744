"""Whether tonight's shop is still last night's: its orders, its customers and its catalogue."""

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

FEW = 20  # lines; of fewer some may go


def of_orders(then: Days, now: Days, until: dt.date, night: dt.date) -> Iterator[Measure]:
    """What became of the lines of all days that a night up to `until` knew."""
    days = then.index.union(now.index)
    days = days[days <= pd.Timestamp(until)]
    before, after = (one.reindex(days, fill_value=0) for one in (then[w.LINES], now[w.LINES]))
    recent = days > pd.Timestamp(until) - LAST_WEEKS
    gone, come = (before - after).clip(lower=0), (after - before).clip(lower=0)
    lost = max(_share(gone, before), _share(gone[recent], before[recent]))
    told = f"{lost:.1%} of the order lines that the last night knew are gone"
    yield Measure("lost_lines", night, lost, told)
    emptied = float((gone / before)[recent & (before >= FEW)].max()) if any(recent & (before >= FEW)) else 0.0
    told = f"of one day's order lines that the last night knew {emptied:.0%} are gone"
    yield Measure("lost_day", night, emptied, told)
    added = _share(come, before)
    yield Measure("added_lines", night, added, f"{added:.1%} more order lines stand in days that were closed")
    yield _copied(then, now, days[recent], night)


def _copied(then: Days, now: Days, recent: "pd.Index[Any]", night: dt.date) -> Measure:
    """Orders that came again to closed days under other ids, in days' orders."""
    old, new = (one[COPIES].reindex(recent, fill_value=0) for one in (then, now))
    more = float((new - old).clip(lower=0).sum())
    told = f"{more:,.0f} orders of days that were closed came again under other ids"
    return Measure("copied_later", night, more / max(float(then[c.ORDERS].reindex(recent).mean()), 1.0), told)


def of_customers(then: pa.Table, now: pa.Table, days: Days, judged: list[dt.date]) -> Iterator[Measure]:
    """Whether the last night's customers are customers still, and those of the judged days known to it.

    then, now: samples of customers; where there are more than a sample holds, only those who sort before
    the end of both can be told. The second is a ratio to the share that usually bought before.
    """
    before, night = set(then[c.CUSTOMER].to_pylist()), judged[-1]
    after = dict(zip(now[c.CUSTOMER].to_pylist(), now[LAST_DAY].to_pylist(), strict=True))
    last = max(after, default="") if len(after) == 2 * SAMPLE else "~"
    asked = [one for one in before if one <= last]
    if asked:
        share = sum(one in after for one in asked) / len(asked)
        yield Measure(
            "recognised", night, share, f"{share:.0%} of the last night's customers are known still"
        )
    end = max(before, default="") if len(before) == SAMPLE else "~"
    came = [one for one, day in after.items() if one <= end and day >= judged[0]]
    usually = usual(days[KNOWN] / days[CUSTOMERS], night, judged[0], "ratio")
    if came and usually and usually[0]:
        share = sum(one in before for one in came) / len(came)
        told = f"{share:.0%} of the customers were known to the last night, usual is {usually[0]:.0%}"
        yield Measure("known_before", night, share / usually[0], told, "ratio", usually[1])


def of_goods(then: pa.Table | None, now: pa.Table, night: dt.date) -> Iterator[Measure]:
    """The catalogue by itself, and against the last night's where that is known."""
    goods = now.to_pandas()
    garbled = float(np.mean([_garbled(name) for name in goods[c.NAME].dropna()] or [False]))
    unnamed = float((goods[c.NAME].fillna("").str.strip() == "").mean()) if len(goods) else 1.0
    yield Measure("listed", night, float(len(goods)), f"the catalogue lists {len(goods):,} products")
    yield Measure("garbled_names", night, garbled, f"{garbled:.1%} of the products' names are garbled")
    yield Measure("unnamed", night, unnamed, f"{unnamed:.1%} of the products have no name")
    if then is not None and then.num_rows:
        yield from _changes(then.to_pandas(), goods, night)


def _changes(then: pd.DataFrame, now: pd.DataFrame, night: dt.date) -> Iterator[Measure]:
    stocked, still = (set(one[c.PRODUCT][one[c.IN_STOCK].eq(True)]) for one in (then, now))
    if stocked:
        kept = len(stocked & still) / len(stocked)
        told = f"{kept:.0%} of the products that were in stock on the last night are so still"
        yield Measure("in_stock", night, kept, told)
    both = then.merge(now, on=c.PRODUCT, suffixes=("_then", "_now"))
    names = both.dropna(subset=[f"{c.NAME}_then"])
    renamed = float((names[f"{c.NAME}_then"] != names[f"{c.NAME}_now"]).mean()) if len(names) else 0.0
    yield Measure("renamed", night, renamed, f"{renamed:.1%} of the products have another name")
    filed = both.dropna(subset=[f"{c.CATEGORY}_then"])
    unfiled = float(filed[f"{c.CATEGORY}_now"].isna().mean()) if len(filed) else 0.0
    yield Measure("unfiled", night, unfiled, f"{unfiled:.1%} of the products lost their category")
    prices = both[[f"{c.PRICE}_then", f"{c.PRICE}_now"]].dropna()
    prices = prices[(prices > 0).all(axis=1)]
    if len(prices):
        level = float((prices[f"{c.PRICE}_now"] / prices[f"{c.PRICE}_then"]).median())
        yield Measure("listed_prices", night, level, f"listed prices are {level:.2f} times the last night's")


def _share(part: "pd.Series[float]", whole: "pd.Series[float]") -> float:
    return float(part.sum() / whole.sum()) if whole.sum() else 0.0


def _garbled(name: str) -> bool:
    """Whether a name holds a sign for what couldn't be read, or is UTF-8 that was read as Western letters."""
    if "\N{REPLACEMENT CHARACTER}" in name:
        return True
    try:
        return not name.isascii() and not b"".join(map(_western, name)).decode().isascii()
    except UnicodeError:
        return False


def _western(letter: str) -> bytes:
    """The byte that is read as a letter in Windows' Western letters, or in Latin-1 where those have none."""
    try:
        return letter.encode("cp1252")
    except UnicodeEncodeError:
        return letter.encode("latin-1")
