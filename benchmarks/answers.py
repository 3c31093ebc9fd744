"""What one answer costs: milliseconds of processor time by the size of the catalogue, without HTTP."""

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks import synthetic
from benchmarks.processes import measure
from serving.bundle.files import load, save
from serving.bundle.format import Bundle
from serving.http import responses
from serving.http.requests import ListQuery
from serving.recommend.cart import Cart, cart_ranking
from serving.recommend.fold_in import fold_in
from serving.recommend.lanes import Lane
from serving.recommend.recommender import rankings

SIZES = (5_000, 100_000, 1_000_000)
ASKED, CART = 300, 40
SEED, N = 3, 10
FILTERS = ListQuery(category="Category 7", min_price=5, max_price=100)
COLUMNS = (
    *("second stage", "the same, filtered", "ALS", "the same, filtered", "re-purchase"),
    *("a cart of 40", "folding it in alone"),
)


def compare(folder: Path) -> str:
    """A table of all sizes, each in a process of its own."""
    rows = "".join(f"| {size:,} | {' | '.join(_measured(size, folder))} |\n" for size in SIZES)
    return (
        "## One answer\n\n"
        f"The median of {ASKED} customers (95th percentile), milliseconds of processor time on one thread,\n"
        f"rank {synthetic.RANK}, {N} items with their reasons, in stock. The catalogues are drawn, bundles\n"
        "learned by the night's own code. Filtered is by one of 200 categories and by price.\n\n"
        f"| products | {' | '.join(COLUMNS)} |\n{'|---' * (len(COLUMNS) + 1)}|\n{rows}"
    )


def _measured(size: int, folder: Path) -> list[str]:
    made = {"OPENBLAS_NUM_THREADS": "1"}
    ran = measure([sys.executable, "-m", "benchmarks.answers", str(size), str(folder)], os.environ | made)
    return str(ran.output).splitlines()[-1].split(";")


def _figures(bundle: Bundle) -> list[str]:
    rng = np.random.default_rng(SEED)
    customers = rng.integers(0, len(bundle.customers), ASKED).tolist()
    likely = np.argsort(-bundle.popularity, kind="stable")[: len(bundle.products) // 5]
    carts = [Cart.of(rng.choice(likely, CART, replace=False).tolist(), []) for _ in customers]

    def own(lane: Lane, asked: ListQuery) -> Callable[[int], object]:
        return lambda at: rankings(bundle, [customers[at]], lane)[0](N, responses.allowed_mask(bundle, asked))

    def guest(at: int) -> object:
        return cart_ranking(bundle, carts[at], None, "for-you")(
            N, responses.allowed_mask(bundle, ListQuery())
        )

    ways: list[Callable[[int], object]] = [
        *(own("for-you", ListQuery()), own("for-you", FILTERS)),
        *(own("discover", ListQuery()), own("discover", FILTERS), own("buy-again", ListQuery())),
        *(guest, lambda at: fold_in(bundle, carts[at].products, carts[at].orders)),
    ]
    return [_milliseconds(way) for way in ways]


def _milliseconds(way: Callable[[int], object]) -> str:
    way(0)  # what a bundle works out once is not counted
    found = np.empty(ASKED)
    for at in range(ASKED):
        started = time.process_time()
        way(at)
        found[at] = time.process_time() - started
    return "{:.2f} ({:.2f})".format(*np.percentile(found * 1000, [50, 95]))


def _bundle(size: int, folder: Path) -> Bundle:
    place = folder / str(size)
    return load(place if place.exists() else save(synthetic.bundle(size), place))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as own:
        kept = Path(sys.argv[2] if len(sys.argv) > 2 else own)
        print(";".join(_figures(_bundle(int(sys.argv[1]), kept))))
