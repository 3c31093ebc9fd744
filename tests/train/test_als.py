"""ALS factors by both solvers."""

import subprocess
import sys

import numpy as np
import pytest
from shops import catalogue, checkerboard, demo, interactions_of

from pipelines.evaluate import NDCG, evaluate, summary
from pipelines.train import als
from pipelines.train.association_rules import no_rules
from pipelines.train.bundle import fit_bundle
from pipelines.train.recipe import HalfLives, ModelSettings

SOLVERS = ["implicit", "spark"]


@pytest.mark.parametrize("solver", SOLVERS)
def test_recommends_the_hole_in_a_checkerboard_first(solver, request):
    """Of the products that customer u has not bought, only p = u is on squares of u's colour."""
    if solver == "spark":
        request.getfixturevalue("spark")
    shop = checkerboard()
    strengths = shop.matrix(shop.orders)
    factors = als.fit(strengths, als.AlsSettings(rank=2, regularisation=0.1, alpha=10, iterations=10), solver)
    scores = np.where(strengths.toarray() > 0, -np.inf, factors.users @ factors.items.T)
    assert scores.argmax(axis=1).tolist() == list(range(len(shop.customers)))
    assert np.sort(scores, axis=1)[:, -2].max() < 0.1 < 0.8 < scores.max(axis=1).min()


@pytest.mark.parametrize("solver", SOLVERS)
def test_rows_without_interactions_have_zero_factors(solver, request):
    if solver == "spark":
        request.getfixturevalue("spark")
    shop = interactions_of([("a", "x", 1, 1, 0), ("b", "x", 1, 1, 0)], ["x", "y"])
    factors = als.fit(shop.matrix(shop.orders), als.AlsSettings(rank=3, iterations=2), solver)
    assert factors.users.shape == factors.items.shape == (2, 3)
    assert factors.users.dtype == factors.items.dtype == np.float32
    assert not factors.items[1].any()
    assert factors.items[0].any()


def test_als_on_spark_starts_a_session_by_itself(home):
    script = (
        "import scipy.sparse as sp; from pipelines.train import als;"
        "few = als.AlsSettings(rank=2, iterations=1);"
        "print(als.fit(sp.eye(3, format='csr', dtype='f4'), few, 'spark').users.shape)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.stdout == "(3, 2)\n", done.stderr


def test_both_solvers_are_equally_good_on_the_same_shop(spark):
    """Fitted on 40 days of the demo shop, measured on the 10 days after."""
    shop = demo(days=50)
    cut = int(shop.day.max()) - 10
    products = catalogue([product.decode() for product in shop.products])
    chosen = ModelSettings(
        als=als.AlsSettings(rank=32, regularisation=1.0, alpha=10, half_life_days=30, iterations=10),
        half_lives=HalfLives(trend=14, repurchase=60),
        lanes={},
    )
    ndcg = {}
    for solver in SOLVERS:
        bundle = fit_bundle(shop.until(cut), products, chosen, no_rules(len(shop.products)), solver)
        measured = summary(evaluate(bundle, shop.bought(cut, cut + 10), solver, "als"))[solver]
        ndcg[solver] = {lane: metrics[NDCG] for lane, metrics in measured.items()}
    print(ndcg)
    for lane in ("for-you", "discover"):
        assert ndcg["spark"][lane] == pytest.approx(ndcg["implicit"][lane], rel=0.05)


def test_auto_chooses_the_solver_that_fits_in_memory():
    small = checkerboard()
    strengths = small.matrix(small.orders)
    assert als.choose_solver(strengths, 64) == "implicit"
    assert als.choose_solver(strengths, 10**12) == "spark"  # no machine holds factors of that rank
