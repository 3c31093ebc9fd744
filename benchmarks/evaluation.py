"""Evaluation through the served bundle on synthetic shops: seconds and memory, beside plain sorting."""

import os
import sys
import time

import numpy as np
import pyarrow as pa

from benchmarks.processes import Measured, measure
from pipelines import columns as c
from pipelines.evaluate import customer_segments, evaluate, per_customer, summary
from pipelines.prepare.interactions import Interactions
from pipelines.train.als import Factors
from pipelines.train.association_rules import no_rules
from pipelines.train.bundle import build
from pipelines.train.recipe import HalfLives
from serving.bundle.format import Bundle, texts
from serving.recommend.lanes import LANES
from serving.recommend.recommender import scores

RANK, SEED, BATCH = 64, 20, 1024
PURCHASES, DAYS, HORIZON = 20, 100, 28
ALLOWED_SECONDS, ALLOWED_GIB = 5, 4
SMALL, LARGE = (6_000, 5_000), (100_000, 50_000)
WAYS = {
    "evaluate": "`evaluate`, three lanes",
    "for-you": "`evaluate`, lane for-you alone",
    "argsort": "ranks alone by argsort of all products, three lanes",
}


def compare() -> str:
    """A table of both sizes, each in a process of its own."""
    runs = [(SMALL, "evaluate"), (SMALL, "argsort"), (LARGE, "for-you")]
    found = [(size, way, _run(size, way)) for size, way in runs]
    rows = "".join(
        f"| {size[0]:,} | {size[1]:,} | {WAYS[way]} | {_seconds(one):.1f} | {one.peak_gib * 1024:,.0f} |\n"
        for size, way, one in found
    )
    return (
        "## Evaluation\n\n"
        f"One model with ALS factors of rank {RANK}, all metrics, the whole catalogue for each customer.\n"
        f"{PURCHASES} purchases a customer; those of the last {HORIZON} of {DAYS} days are to be foretold.\n"
        f"Allowed: {ALLOWED_SECONDS} s for {SMALL[0]:,} x {SMALL[1]:,}, {ALLOWED_GIB} GiB for both.\n\n"
        f"| customers | products | way | seconds | peak MiB |\n|---|---|---|---|---|\n{rows}"
    )


def _run(size: tuple[int, int], way: str) -> Measured:
    return measure([sys.executable, "-m", "benchmarks.evaluation", *map(str, size), way], dict(os.environ))


def _seconds(found: Measured) -> float:
    return float(found.output.splitlines()[-1])


def _evaluated(customers: int, products: int, way: str) -> float:
    shop = _shop(customers, products)
    before, truth = shop.until(DAYS - HORIZON - 1), shop.bought(DAYS - HORIZON - 1, DAYS)
    bundle = _bundle(before)
    per_customer.MAX_CUSTOMERS = customers
    started = time.monotonic()
    if way == "argsort":
        _by_argsort(bundle, truth)
    else:
        per_customer.LANES = (
            LANES if way == "evaluate" else (way,)
        )  # a shop this large takes minutes for each
        summary(evaluate(bundle, truth, "als", "als", customer_segments(before)))
    return time.monotonic() - started


def _shop(customers: int, products: int) -> Interactions:
    """Purchases at random, of few products many and of many products few."""
    rng = np.random.default_rng(SEED)
    n = PURCHASES * customers
    return Interactions(
        texts([f"{one:09}" for one in range(customers)]),
        texts([f"{one:09}" for one in range(products)]),
        rng.integers(0, customers, n),
        (products * rng.random(n) ** 3).astype(np.int64),
        rng.integers(0, DAYS, n),
        np.ones(n),
        np.zeros(n),
        np.ones(n, np.int64),
    )


def _bundle(before: Interactions) -> Bundle:
    rng = np.random.default_rng(SEED)
    users, items = len(before.customers), len(before.products)
    factors = Factors(
        *(rng.normal(0, RANK**-0.5, (count, RANK)).astype(np.float32) for count in (users, items))
    )
    catalogue = pa.table(
        {
            c.NAME: [""] * items,
            c.CATEGORY: [f"category {one % 50}" for one in range(items)],
            c.BRAND: [""] * items,
            c.PRICE: np.ones(items),
            c.IN_STOCK: np.ones(items, bool),
        }
    )
    return build(
        before, catalogue, factors, no_rules(items), HalfLives(trend=28, repurchase=60), {"lanes": {}}
    )


def _by_argsort(bundle: Bundle, truth: Interactions) -> None:
    """The ranks of all that was bought, in the way that comes to mind first."""
    at = np.searchsorted(bundle.customers, truth.customers)
    bought = truth.matrix(truth.quantity)
    people = np.flatnonzero((np.diff(bought.indptr) > 0) & (np.isin(truth.customers, bundle.customers)))
    for lane in LANES:
        for start in range(0, len(people), BATCH):
            batch = people[start : start + BATCH]
            order = np.argsort(-scores(bundle, at[batch], lane, "als"), axis=1, kind="stable")
            rank = np.empty_like(order)
            np.put_along_axis(rank, order, np.arange(order.shape[1])[None, :], axis=1)
            rank[bought[batch].nonzero()]


if __name__ == "__main__":
    print(_evaluated(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]))
