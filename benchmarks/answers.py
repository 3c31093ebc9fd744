"""Processor time of one answer without HTTP, by the size of the catalogue."""

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
REQUESTS, CART = 300, 40
SEED, N = 3, 10
FILTERS = ListQuery(category="Category 7", min_price=5, max_price=100)
COLUMNS = (
    *("ranker", "the same, filtered", "ALS", "the same, filtered", "re-purchase"),
    *("a cart of 40", "fold-in of the cart alone"),
)


def compare(folder: Path) -> str:
    """Returns a table with a row per catalogue size; each size runs in its own process."""
    rows = "".join(f"| {size:,} | {' | '.join(_cells(size, folder))} |\n" for size in SIZES)
    return (
        "## One answer\n\n"
        f"Median over {REQUESTS} customers (95th percentile), in milliseconds of processor time on one\n"
        f"thread; rank {synthetic.RANK}, {N} items in stock, with their reasons. The catalogues are random;\n"
        "the bundles are fitted by the code of the nightly run. The filters are one of 200 categories and a\n"
        "price range.\n\n"
        f"| products | {' | '.join(COLUMNS)} |\n{'|---' * (len(COLUMNS) + 1)}|\n{rows}"
    )


def _cells(size: int, folder: Path) -> list[str]:
    command = [sys.executable, "-m", "benchmarks.answers", str(size), str(folder)]
    measured = measure(command, os.environ | {"OPENBLAS_NUM_THREADS": "1"})
    return measured.output.splitlines()[-1].split(";")


def _milliseconds_of_all(bundle: Bundle) -> list[str]:
    """Returns the cells of COLUMNS for a bundle."""
    rng = np.random.default_rng(SEED)
    customers = rng.integers(0, len(bundle.customers), REQUESTS).tolist()
    popular = np.argsort(-bundle.popularity, kind="stable")[: len(bundle.products) // 5]
    carts = [Cart.of(rng.choice(popular, CART, replace=False).tolist(), []) for _ in customers]

    def of_customer(lane: Lane, query: ListQuery) -> Callable[[int], object]:
        return lambda i: rankings(bundle, [customers[i]], lane)[0](N, responses.allowed_mask(bundle, query))

    def of_cart(i: int) -> object:
        return cart_ranking(bundle, carts[i], None, "for-you")(N, responses.allowed_mask(bundle, ListQuery()))

    answers: list[Callable[[int], object]] = [
        *(of_customer("for-you", ListQuery()), of_customer("for-you", FILTERS)),
        *(of_customer("discover", ListQuery()), of_customer("discover", FILTERS)),
        *(of_customer("buy-again", ListQuery()), of_cart),
        lambda i: fold_in(bundle, carts[i].products, carts[i].orders),
    ]
    return [_milliseconds(answer) for answer in answers]


def _milliseconds(answer: Callable[[int], object]) -> str:
    answer(0)  # fills the bundle's caches, which is not measured
    seconds = np.empty(REQUESTS)
    for i in range(REQUESTS):
        started = time.process_time()
        answer(i)
        seconds[i] = time.process_time() - started
    return "{:.2f} ({:.2f})".format(*np.percentile(seconds * 1000, [50, 95]))


def _bundle(size: int, folder: Path) -> Bundle:
    path = folder / str(size)
    return load(path if path.exists() else save(synthetic.bundle(size), path))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(sys.argv[2] if len(sys.argv) > 2 else temporary)
        print(";".join(_milliseconds_of_all(_bundle(int(sys.argv[1]), folder))))
