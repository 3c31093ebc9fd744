"""Unknown customers on Online Retail II: the trend of their country next to the overall trend."""

import os
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import scipy.sparse as sp

from pipelines.prepare import interactions
from pipelines.prepare.interactions import Interactions
from serving.bundle.format import Array, Bundle

WINDOWS = 20  # of HORIZON days, one after the other
HORIZON = 28
HALF_LIFE = 28.0
RESAMPLES, SEED = 1000, 5


def compare(home: Path) -> str:
    """Returns a table on the lake that a nightly run has left in `home`; its orders have regions."""
    os.environ["NIGHTSHELF_HOME"] = str(home)
    measures = pd.concat(_windows())
    largest = measures["group"].mode()[0]
    with_trend = measures[measures["has_trend"]]
    rows = [
        _row(f"{largest}, the largest region", with_trend[with_trend["group"] == largest]),
        _row("all other regions of 20 customers or more", with_trend[with_trend["group"] != largest]),
        *(_row(name, with_trend[with_trend["group"] == name]) for name in _next_largest(with_trend)),
    ]
    return (
        "## Unknown customers by region\n\n"
        f"Buyers in {WINDOWS} windows of {HORIZON} days on Online Retail II who were unknown before theirs.\n"
        "They get the overall trend (half-life 28 days), or the trend of their country followed by the\n"
        "overall trend. NDCG@10 over the whole catalogue, and the 95 % interval of the difference.\n\n"
        "| region | customers | overall trend | trend of the region | difference |\n|---|---|---|---|---|\n"
        + "".join(rows)
    )


def _windows() -> list[pd.DataFrame]:
    from pipelines import columns as c
    from pipelines.lake import tables

    products = tables.read(tables.PRODUCTS)
    known = interactions.interactions(tables.read(tables.INTERACTIONS), products[c.PRODUCT].to_pylist())
    orders = tables.read(tables.ORDERS, [c.CUSTOMER, c.ORDERED_AT, c.GROUP]).to_pandas().dropna()
    orders[c.DAY] = (orders[c.ORDERED_AT].dt.tz_localize(None) - pd.Timestamp(0)).dt.days
    orders = orders.sort_values(c.ORDERED_AT)
    last = int(known.day.max())
    cuts = [last - HORIZON * window for window in range(1, WINDOWS + 1)]
    return [_window(known, products, orders, cut) for cut in cuts]


def _window(known: Interactions, products: pa.Table, orders: pd.DataFrame, cut: int) -> pd.DataFrame:
    """Returns a row per unknown customer of a window: region, whether it has a trend, NDCG@10 of both."""
    from pipelines import columns as c

    before, truth = known.until(cut), known.bought(cut, cut + HORIZON)
    bundle = _trend_bundle(before, products, orders[orders[c.DAY] <= cut])
    bought = truth.matrix(truth.quantity)
    buyers = np.flatnonzero(np.diff(bought.indptr) > 0)
    unknown = buyers[~np.isin(truth.customers[buyers], before.customers)]
    later = orders[orders[c.DAY] > cut].drop_duplicates(c.CUSTOMER)
    region_of = dict(zip(later[c.CUSTOMER], later[c.GROUP], strict=True))
    names = [region_of.get(truth.customers[row].decode()) for row in unknown]
    regions = [None if name is None else bundle.group(name) for name in names]
    overall = np.tile(bundle.trend, (len(unknown), 1))
    within = np.stack([_trend(bundle, region) for region in regions])
    return pd.DataFrame(
        {
            "group": names,
            "has_trend": [region is not None for region in regions],
            "overall": _ndcg(overall, bought[unknown]),
            "within": _ndcg(within, bought[unknown]),
        }
    ).dropna(subset=["overall"])


def _trend_bundle(before: Interactions, products: pa.Table, orders: pd.DataFrame) -> Bundle:
    """Returns a bundle without factors or rules; a customer's region is that of the latest order."""
    from pipelines import columns as c
    from pipelines.train.als import zero_factors
    from pipelines.train.association_rules import no_rules
    from pipelines.train.bundle import build
    from pipelines.train.recipe import HalfLives

    latest = orders.drop_duplicates(c.CUSTOMER, keep="last")
    return build(
        before,
        products,
        zero_factors(len(before.customers), len(before.products)),
        no_rules(len(before.products)),
        HalfLives(trend=HALF_LIFE, repurchase=HALF_LIFE),
        {"lanes": {}},
        customer_regions=pa.Table.from_pandas(latest[[c.CUSTOMER, c.GROUP]], preserve_index=False),
    )


def _trend(bundle: Bundle, region: int | None) -> Array:
    """Returns the trend scores of a region, or the overall trend without one, (P,) float32."""
    from serving.recommend.shortlist import region_shortlist

    if region is None:
        return bundle.trend
    everything = np.ones(len(bundle.products), bool)
    return region_shortlist(bundle, region, len(everything), everything).values


def _ndcg(strength: Array, bought: sp.csr_matrix) -> Array:
    """Returns the NDCG@10 of each customer, (n,); nan if no bought product had been sold before the cut.

    strength, bought: (n, P).
    """
    from pipelines.evaluate import NDCG
    from pipelines.evaluate.ranking import rank, rank_metrics

    values = np.where(strength > 0, strength, -np.inf).astype(np.float32)
    customers, products = bought.nonzero()
    sold = values[customers, products] > -np.inf
    measured, row = np.unique(customers[sold], return_inverse=True)
    ndcg = np.full(len(values), np.nan)
    ndcg[measured] = rank_metrics(rank(values[measured], row, products[sold]))[NDCG]
    return ndcg


def _next_largest(measures: pd.DataFrame) -> list[str]:
    """Returns the three largest regions after the largest."""
    return list(measures["group"].value_counts().index[1:4])


def _row(name: str, measures: pd.DataFrame) -> str:
    difference = (measures["within"] - measures["overall"]).to_numpy()
    resampled = np.random.default_rng(SEED).integers(len(difference), size=(RESAMPLES, len(difference)))
    low, high = np.quantile(difference[resampled].mean(axis=1), [0.025, 0.975])
    overall, within = measures["overall"].mean(), measures["within"].mean()
    interval = f"{difference.mean():+.4f} [{low:+.4f}, {high:+.4f}]"
    return f"| {name} | {len(measures):,} | {overall:.4f} | {within:.4f} | {interval} |\n"


if __name__ == "__main__":
    print(compare(Path(sys.argv[1])))
