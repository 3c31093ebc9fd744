"""Folding in, compared with fitted factors and with the trend."""

import numpy as np
import pytest
from shops import catalogue, demo

from pipelines.demo.catalogue import catalogue as planted
from pipelines.demo.shop import Shop
from pipelines.train.als import AlsSettings
from pipelines.train.association_rules import no_rules
from pipelines.train.bundle import fit_bundle
from pipelines.train.recipe import HalfLives, ModelSettings
from serving.bundle.highest import top_n
from serving.recommend.fold_in import fold_in, scores

HALF_LIFE = 30.0
CHOSEN = ModelSettings(
    als=AlsSettings(rank=16, regularisation=10.0, alpha=10, half_life_days=HALF_LIFE, iterations=10),
    half_lives=HalfLives(trend=14, repurchase=HALF_LIFE),
    lanes={},
)


def fitted(solver):
    shop = demo(days=20)
    products = catalogue([product.decode() for product in shop.products])
    return fit_bundle(shop.until(int(shop.day.max())), products, CHOSEN, no_rules(products.num_rows), solver)


@pytest.mark.parametrize("solver", ["implicit", "spark"])
def test_folding_in_a_whole_history_gives_the_fitted_factors(solver, request, seed):
    """Strengths are equal, as both half-lives are; folding in is one more half-step of ALS."""
    if solver == "spark":
        request.getfixturevalue("spark")
    bundle = fitted(solver)
    rows = np.random.default_rng(seed).choice(len(bundle.customers), 200)
    slices = [bundle.history_rows(row) for row in rows]
    folded = np.array(
        [
            fold_in(bundle, bundle.history_product[entries], bundle.history_strength[entries])
            for entries in slices
        ]
    )
    own = bundle.user_factors[rows]
    cosine = (folded * own).sum(axis=1) / np.linalg.norm(folded, axis=1) / np.linalg.norm(own, axis=1)
    length = np.linalg.norm(folded, axis=1) / np.linalg.norm(own, axis=1)
    print(cosine.min(), np.median(cosine), length.min(), length.max())
    assert np.median(cosine) > 0.99
    assert np.median(np.abs(length - 1)) < 0.05
    shuffled = np.roll(own, 1, axis=0)  # another customer's factors
    assert np.median((folded * shuffled).sum(axis=1)) < 0.5 * np.median((folded * own).sum(axis=1))


def test_a_cart_of_one_product_reveals_the_taste():
    """Measured: the share of the first ten products in the planted cluster of the cart's product."""
    bundle = fitted("implicit")
    cluster = np.array([product.cluster for product in planted(500, Shop.seed)])
    carts = np.flatnonzero(bundle.popularity > 0)
    folded, trending = (
        np.mean([(cluster[top_n(values(product), 10)] == cluster[product]).mean() for product in carts])
        for values in (lambda product: scores(bundle, np.array([product])), lambda product: bundle.trend)
    )
    print(folded, trending)
    assert folded > 0.4
    assert folded > 5 * trending
