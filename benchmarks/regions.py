"""Strangers answered by the trend within their country, beside the overall trend, on Online Retail II."""

import os
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from pipelines.prepare import interactions

WINDOWS = 20  # of HORIZON days, each before the next
HORIZON = 28
HALF_LIFE = 28.0
RESAMPLES, SEED = 1000, 5


def compare(home: Path) -> str:
    """A table over the lake that a night has left in `home`, whose mapping names groups."""
    os.environ["NIGHTSHELF_HOME"] = str(home)
    found = pd.concat(_windows())
    largest = found["group"].mode()[0]
    answered = found["is_grouped"]
    rows = [
        _row(f"{largest}, the largest group", found[answered & (found["group"] == largest)]),
        _row("all other groups of 20 customers", found[answered & (found["group"] != largest)]),
        *(_row(name, found[answered & (found["group"] == name)]) for name in _next(found[answered])),
    ]
    return (
        "## Strangers by their group\n\n"
        f"Buyers of {WINDOWS} windows of {HORIZON} days on Online Retail II, unknown at the cut before,\n"
        "answered by the trend (half-life 28 days) overall, and within their country as far as the cut knew\n"
        "it, the overall one behind it; NDCG@10, whole catalogue, 95 % interval of the difference.\n\n"
        "| strangers of | number | overall | within the group | difference |\n|---|---|---|---|---|\n"
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


def _window(known, products, orders, cut) -> pd.DataFrame:  # type: ignore[no-untyped-def]
    """A row per stranger of a window: the group, whether it is told of, NDCG@10 either way."""
    import pyarrow as pa

    from pipelines import columns as c
    from pipelines.train.als import zero_factors
    from pipelines.train.association_rules import no_rules
    from pipelines.train.bundle import build
    from pipelines.train.recipe import HalfLives
    from serving.recommend.shortlist import region_shortlist

    before, truth = known.until(cut), known.bought(cut, cut + HORIZON)
    past = orders[orders[c.DAY] <= cut].drop_duplicates(c.CUSTOMER, keep="last")
    grouped = pa.Table.from_pandas(past[[c.CUSTOMER, c.GROUP]], preserve_index=False)
    silent = zero_factors(len(before.customers), len(before.products)), no_rules(len(before.products))
    lives = HalfLives(trend=HALF_LIFE, repurchase=HALF_LIFE)
    bundle = build(before, products, *silent, lives, {"lanes": {}}, customer_regions=grouped)
    bought = truth.matrix(truth.quantity)
    buyers = np.flatnonzero(np.diff(bought.indptr) > 0)
    people = buyers[~np.isin(truth.customers[buyers], before.customers)]
    first = orders[orders[c.DAY] > cut].drop_duplicates(c.CUSTOMER).set_index(c.CUSTOMER)[c.GROUP]
    names = [first.get(truth.customers[one].decode()) for one in people]
    rows = [None if name is None else bundle.group(name) for name in names]
    size, every = len(bundle.products), np.ones(len(bundle.products), bool)
    within = np.stack(
        [bundle.trend if row is None else region_shortlist(bundle, row, size, every).values for row in rows]
    )
    overall = np.stack([bundle.trend] * len(people))
    measured = {"overall": _ndcg(overall, bought[people]), "within": _ndcg(within, bought[people])}
    told = {"group": names, "is_grouped": [row is not None for row in rows]}
    return pd.DataFrame(told | measured).dropna(subset=["overall"])


def _ndcg(strength, bought):  # type: ignore[no-untyped-def]
    """NDCG@10 of each stranger, nan where nothing that was bought had been sold before."""
    from pipelines.evaluate import NDCG
    from pipelines.evaluate.ranking import rank, rank_metrics

    values = np.where(strength > 0, strength, -np.inf).astype(np.float32)
    people, products = bought.nonzero()
    sold = values[people, products] > -np.inf
    judged, row = np.unique(people[sold], return_inverse=True)
    found = np.full(len(values), np.nan)
    found[judged] = rank_metrics(rank(values[judged], row, products[sold]))[NDCG]
    return found


def _next(found: pd.DataFrame) -> list[str]:
    return list(found["group"].value_counts().index[1:4])


def _row(name: str, found: pd.DataFrame) -> str:
    apart = (found["within"] - found["overall"]).to_numpy()
    drawn = np.random.default_rng(SEED).integers(len(apart), size=(RESAMPLES, len(apart)))
    low, high = np.quantile(apart[drawn].mean(axis=1), [0.025, 0.975])
    overall, within = found["overall"].mean(), found["within"].mean()
    interval = f"{apart.mean():+.4f} [{low:+.4f}, {high:+.4f}]"
    return f"| {name} | {len(found):,} | {overall:.4f} | {within:.4f} | {interval} |\n"


if __name__ == "__main__":
    print(compare(Path(sys.argv[1])))
