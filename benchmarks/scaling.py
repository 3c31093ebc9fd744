"""Fitting a bundle on 1, 2, 4 and 8 million interactions: seconds, memory, and how they grow."""

import os
import sys
import time

import numpy as np
import pyarrow as pa

from benchmarks import pace
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
LOYALTY = 0.6  # share of the purchases that are of a favourite
SEED = 8
WORDS = ("red", "green", "cup", "lamp", "paper", "large", "set")
CHOSEN = ModelSettings(
    als=AlsSettings(trend_power=0.25),
    ranker=RankerSettings(),
    half_lives=HalfLives(trend=7, repurchase=120),
    lanes={},
)


def compare() -> str:
    """Returns a table of all sizes, each measured in its own process, and the exponents."""
    runs = {size: _run(size) for size in MILLIONS}
    rows = "".join(
        f"| {size},000,000 | {_customers(size):,} | {_seconds(measured):.1f} | {measured.peak_gib:.1f} |\n"
        for size, measured in runs.items()
    )
    for size, measured in runs.items():
        pace.note(f"fitting {size} million interactions", _seconds(measured))
    times = exponent(MILLIONS, [_seconds(measured) for measured in runs.values()])
    memory = exponent(MILLIONS, [measured.peak_gib for measured in runs.values()])
    return (
        "## Fitting, by the number of interactions\n\n"
        f"A whole bundle except its rules: ALS of rank {CHOSEN.als.rank}, and a ranker that learns from\n"
        f"three windows of at most 4,000 customers. Synthetic shops with {PRODUCTS:,} products, {DAYS} days\n"
        f"and {PER_CUSTOMER} purchases per customer. Time grows as the number of interactions to the power\n"
        f"of **{times:.2f}**, memory to the power of **{memory:.2f}**.\n\n"
        f"| interactions | customers | seconds | peak GiB |\n|---|---|---|---|\n{rows}"
    )


def _customers(millions: int) -> int:
    return millions * 1_000_000 // PER_CUSTOMER


def _run(millions: int) -> Measured:
    return measure([sys.executable, "-m", "benchmarks.scaling", str(millions)], dict(os.environ))


def _seconds(measured: Measured) -> float:
    return float(measured.output.splitlines()[-1])


def _fit(millions: int) -> float:
    """Fits a bundle and returns the seconds that it took."""
    known = _interactions(millions)
    started = time.monotonic()
    fit_bundle(known, _catalogue(), CHOSEN, no_rules(PRODUCTS), "auto")
    return time.monotonic() - started


def _interactions(millions: int) -> Interactions:
    """Returns random purchases: of the customer's favourites, or else of popular products."""
    rng = np.random.default_rng(SEED)
    customers, purchases = _customers(millions), millions * 1_000_000
    favourites = _popular(rng, (customers, FAVOURITES))
    customer = rng.integers(0, customers, purchases)
    favourite = favourites[customer, rng.integers(0, FAVOURITES, purchases)]
    product = np.where(rng.random(purchases) < LOYALTY, favourite, _popular(rng, purchases))
    return Interactions(
        texts([f"{number:09}" for number in range(customers)]),
        texts([f"{number:09}" for number in range(PRODUCTS)]),
        customer,
        product,
        rng.integers(0, DAYS, purchases),
        np.ones(purchases),
        np.zeros(purchases),
        np.ones(purchases, np.int64),
    )


def _popular(rng: np.random.Generator, shape: int | tuple[int, int]) -> Array:
    """Returns random rows of products, int64, with a long tail of popularity."""
    return np.asarray((PRODUCTS * rng.random(shape) ** 3).astype(np.int64))


def _catalogue() -> pa.Table:
    return pa.table(
        {
            c.NAME: [f"{WORDS[n % 7]} {WORDS[n // 7 % 7]} {n // 49}" for n in range(PRODUCTS)],
            c.CATEGORY: [f"category {n % 50}" for n in range(PRODUCTS)],
            c.BRAND: [""] * PRODUCTS,
            c.PRICE: np.ones(PRODUCTS),
            c.IN_STOCK: np.ones(PRODUCTS, bool),
            c.PLACEHOLDER: np.zeros(PRODUCTS, bool),
        }
    )


if __name__ == "__main__":
    print(_fit(int(sys.argv[1])))
