"""Fitting a bundle to 1, 2, 4 and 8 million interactions: seconds, memory, and how they grow."""

import os
import sys
import time

import numpy as np
import pyarrow as pa

from benchmarks.growth import exponent
from benchmarks.processes import Measured, measure
from pipelines import columns as c
from pipelines.prepare.interactions import Interactions
from pipelines.train.als import AlsSettings
from pipelines.train.association_rules import no_rules
from pipelines.train.bundle import fit_bundle
from pipelines.train.ranker import RankerSettings
from pipelines.train.recipe import HalfLives, ModelSettings
from serving.bundle.format import Array, texts

MILLIONS = (1, 2, 4, 8)
PER_CUSTOMER, PRODUCTS, DAYS, FAVOURITES = 20, 20_000, 365, 15
LOYALTY = 0.6  # share of purchases that are of a favourite
SEED = 8
WORDS = ("red", "green", "cup", "lamp", "paper", "large", "set")
CHOSEN = ModelSettings(
    als=AlsSettings(trend_power=0.25),
    ranker=RankerSettings(),
    half_lives=HalfLives(trend=7, repurchase=120),
    lanes={},
)


def compare() -> str:
    """A table, each size in a process of its own, and the exponents."""
    found = {size: _run(size) for size in MILLIONS}
    rows = "".join(
        f"| {size},000,000 | {_customers(size):,} | {_seconds(one):.1f} | {one.peak_gib:.1f} |\n"
        for size, one in found.items()
    )
    times = exponent(MILLIONS, [_seconds(one) for one in found.values()])
    memory = exponent(MILLIONS, [one.peak_gib for one in found.values()])
    return (
        "## Fitting, by the number of interactions\n\n"
        f"Everything a bundle holds but its rules: ALS of rank {CHOSEN.als.rank}, and a ranker over three\n"
        f"windows of at most 4,000 customers. Synthetic shops of {PRODUCTS:,} products and {DAYS} days,\n"
        f"{PER_CUSTOMER} purchases a customer. Time grows as the number of interactions to the power of\n"
        f"**{times:.2f}**, memory to that of **{memory:.2f}**.\n\n"
        f"| interactions | customers | seconds | peak GiB |\n|---|---|---|---|\n{rows}"
    )


def _customers(millions: int) -> int:
    return millions * 1_000_000 // PER_CUSTOMER


def _run(millions: int) -> Measured:
    return measure([sys.executable, "-m", "benchmarks.scaling", str(millions)], dict(os.environ))


def _seconds(found: Measured) -> float:
    return float(found.output.splitlines()[-1])


def _fitted(millions: int) -> float:
    shop = _shop(millions)
    started = time.monotonic()
    fit_bundle(shop, _catalogue(), CHOSEN, no_rules(PRODUCTS), "auto")
    return time.monotonic() - started


def _shop(millions: int) -> Interactions:
    """Customers with favourites who discover by popularity; customers, products and days drawn at random."""
    rng = np.random.default_rng(SEED)
    customers, purchases = _customers(millions), millions * 1_000_000
    favourites = _popular(rng, (customers, FAVOURITES))
    customer = rng.integers(0, customers, purchases)
    own = favourites[customer, rng.integers(0, FAVOURITES, purchases)]
    product = np.where(rng.random(purchases) < LOYALTY, own, _popular(rng, purchases))
    return Interactions(
        texts([f"{one:09}" for one in range(customers)]),
        texts([f"{one:09}" for one in range(PRODUCTS)]),
        customer,
        product,
        rng.integers(0, DAYS, purchases),
        np.ones(purchases),
        np.zeros(purchases),
        np.ones(purchases, np.int64),
    )


def _popular(rng: np.random.Generator, shape: int | tuple[int, int]) -> Array:
    """Products of which few are drawn often and many seldom."""
    return np.asarray((PRODUCTS * rng.random(shape) ** 3).astype(np.int64))


def _catalogue() -> pa.Table:
    return pa.table(
        {
            c.NAME: [f"{WORDS[one % 7]} {WORDS[one // 7 % 7]} {one // 49}" for one in range(PRODUCTS)],
            c.CATEGORY: [f"category {one % 50}" for one in range(PRODUCTS)],
            c.BRAND: [""] * PRODUCTS,
            c.PRICE: np.ones(PRODUCTS),
            c.IN_STOCK: np.ones(PRODUCTS, bool),
            c.PLACEHOLDER: np.zeros(PRODUCTS, bool),
        }
    )


if __name__ == "__main__":
    print(_fitted(int(sys.argv[1])))
