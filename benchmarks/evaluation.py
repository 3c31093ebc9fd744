"""Evaluation of a bundle on synthetic shops, next to plain sorting: seconds and memory."""

import os
import sys
import time
from unittest.mock import patch

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
from serving.bundle.format import Array, Bundle, texts
from serving.recommend.lanes import LANES
from serving.recommend.recommender import scores

RANK, SEED, BATCH = 64, 20, 1024
PURCHASES, DAYS, HORIZON = 20, 100, 28
ALLOWED_SECONDS, ALLOWED_GIB = 5, 4
SMALL, LARGE = (6_000, 5_000), (100_000, 50_000)  # customers, products
METHODS = {
    "evaluate": "`evaluate`, three lanes",
    "for-you": "`evaluate`, lane for-you alone",
    "argsort": "ranks alone by argsort of all products, three lanes",
}


def compare() -> str:
    """Returns a table of both sizes; each row runs in its own process."""
    cases = [(SMALL, "evaluate"), (SMALL, "argsort"), (LARGE, "for-you")]
    rows = "".join(_row(size, method, _run(size, method)) for size, method in cases)
    return (
        "## Evaluation\n\n"
        f"One model with ALS factors of rank {RANK}; all metrics, on the whole catalogue for each customer.\n"
        f"{PURCHASES} purchases per customer, on {DAYS} days; the test window is the last {HORIZON} days.\n"
        f"Allowed: {ALLOWED_SECONDS} s for {SMALL[0]:,} x {SMALL[1]:,}, {ALLOWED_GIB} GiB for both.\n\n"
        f"| customers | products | method | seconds | peak MiB |\n|---|---|---|---|---|\n{rows}"
    )


def _run(size: tuple[int, int], method: str) -> Measured:
    command = [sys.executable, "-m", "benchmarks.evaluation", *map(str, size), method]
    return measure(command, dict(os.environ))


def _row(size: tuple[int, int], method: str, measured: Measured) -> str:
    seconds = float(measured.output.splitlines()[-1])
    cells = f"{METHODS[method]} | {seconds:.1f} | {measured.peak_gib * 1024:,.0f}"
    return f"| {size[0]:,} | {size[1]:,} | {cells} |\n"


def _seconds(customers: int, products: int, method: str) -> float:
    """Returns the seconds that an evaluation of all customers takes."""
    known = _interactions(customers, products)
    before, truth = known.until(DAYS - HORIZON - 1), known.bought(DAYS - HORIZON - 1, DAYS)
    bundle = _bundle(before)
    lanes = ("for-you",) if method == "for-you" else LANES  # on the large shop, each lane takes minutes
    with patch.multiple(per_customer, MAX_CUSTOMERS=customers, LANES=lanes):
        started = time.monotonic()
        if method == "argsort":
            _rank_by_argsort(bundle, truth)
        else:
            summary(evaluate(bundle, truth, "als", "als", customer_segments(before)))
        return time.monotonic() - started


def _interactions(customers: int, products: int) -> Interactions:
    """Returns random purchases; the popularity of products has a long tail."""
    rng = np.random.default_rng(SEED)
    n = PURCHASES * customers
    return Interactions(
        texts([f"{number:09}" for number in range(customers)]),
        texts([f"{number:09}" for number in range(products)]),
        rng.integers(0, customers, n),
        (products * rng.random(n) ** 3).astype(np.int64),
        rng.integers(0, DAYS, n),
        np.ones(n),
        np.zeros(n),
        np.ones(n, np.int64),
    )


def _bundle(before: Interactions) -> Bundle:
    """Returns a bundle with random factors."""
    rng = np.random.default_rng(SEED)
    products = len(before.products)
    factors = Factors(_normal(rng, len(before.customers)), _normal(rng, products))
    catalogue = pa.table(
        {
            c.NAME: [""] * products,
            c.CATEGORY: [f"category {number % 50}" for number in range(products)],
            c.BRAND: [""] * products,
            c.PRICE: np.ones(products),
            c.IN_STOCK: np.ones(products, bool),
        }
    )
    half_lives = HalfLives(trend=28, repurchase=60)
    return build(before, catalogue, factors, no_rules(products), half_lives, {"lanes": {}})


def _normal(rng: np.random.Generator, count: int) -> Array:
    return rng.normal(0, RANK**-0.5, (count, RANK)).astype(np.float32)


def _rank_by_argsort(bundle: Bundle, truth: Interactions) -> None:
    """Computes the ranks of all purchases by sorting the whole catalogue for each customer."""
    row = np.searchsorted(bundle.customers, truth.customers)
    bought = truth.matrix(truth.quantity)
    buyers = np.flatnonzero((np.diff(bought.indptr) > 0) & (np.isin(truth.customers, bundle.customers)))
    for lane in LANES:
        for start in range(0, len(buyers), BATCH):
            batch = buyers[start : start + BATCH]
            order = np.argsort(-scores(bundle, row[batch], lane, "als"), axis=1, kind="stable")
            rank = np.empty_like(order)
            np.put_along_axis(rank, order, np.arange(order.shape[1])[None, :], axis=1)
            rank[bought[batch].nonzero()]


if __name__ == "__main__":
    print(_seconds(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]))
