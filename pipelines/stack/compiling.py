"""Compiles what a first nightly run and a first request would wait for; numba keeps the machine code."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pyarrow as pa

from pipelines import columns as c
from pipelines.prepare.interactions import Interactions
from serving.bundle.format import texts

SEED, CUSTOMERS, PRODUCTS, DAYS, PURCHASES = 3, 60, 40, 100, 2000


@contextmanager
def in_background() -> Iterator[None]:
    """A block beside which another process compiles; it ends with the block."""
    command = [sys.executable, "-m", __name__]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603 - our own
    try:
        yield
    finally:
        process.kill()
        process.wait()


def compile_all() -> None:
    """Fits, evaluates and warms up the bundle of a small drawn shop, which compiles every function."""
    from pipelines.evaluate.per_customer import evaluate
    from pipelines.train.als import AlsSettings
    from pipelines.train.association_rules import no_rules
    from pipelines.train.bundle import fit_bundle
    from pipelines.train.content import no_descriptions
    from pipelines.train.itemsets import vertical
    from pipelines.train.ranker import RankerSettings
    from pipelines.train.recipe import HalfLives, ModelSettings
    from serving.live.opening import warm_up

    known = _interactions()
    chosen = ModelSettings(
        als=AlsSettings(rank=8, iterations=1),
        ranker=RankerSettings(windows=1, trees=1),
        half_lives=HalfLives(trend=7, repurchase=30),
        lanes={"for-you": "ranker", "buy-again": "ranker", "discover": "ranker"},
    )
    bundle = fit_bundle(
        known, _catalogue(), chosen, no_rules(PRODUCTS), "implicit", content_vectors=no_descriptions(PRODUCTS)
    )
    evaluate(bundle, known, "compiled")
    vertical(pa.array([["a", "b"]]), support=1)
    warm_up(bundle)


def _interactions() -> Interactions:
    rng = np.random.default_rng(SEED)
    customer, product, day = (rng.integers(0, most, PURCHASES) for most in (CUSTOMERS, PRODUCTS, DAYS))
    customers, products = (texts([f"{row:02}" for row in range(most)]) for most in (CUSTOMERS, PRODUCTS))
    ones = np.ones(PURCHASES)
    return Interactions(customers, products, customer, product, day, ones, 0 * ones, ones.astype(np.int64))


def _catalogue() -> pa.Table:
    empty = [""] * PRODUCTS
    is_absent, is_present = np.zeros(PRODUCTS, bool), np.ones(PRODUCTS, bool)
    return pa.table(
        {c.NAME: empty, c.CATEGORY: empty, c.BRAND: empty, c.PRICE: np.ones(PRODUCTS)}
        | {c.IN_STOCK: is_present, c.PLACEHOLDER: is_absent}
    )


if __name__ == "__main__":
    compile_all()
