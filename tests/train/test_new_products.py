"""Estimates for products without a buyer: by hand, and on the demo shop with hidden products."""

import datetime as dt
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from shops import catalogue, checkerboard, demo

from pipelines import columns as c
from pipelines.demo.shop import Shop
from pipelines.evaluate import cold
from pipelines.train import new_products
from pipelines.train.als import AlsSettings
from pipelines.train.association_rules import no_rules
from pipelines.train.bundle import fit_bundle
from pipelines.train.recipe import HalfLives, ModelSettings

CHOSEN = ModelSettings(
    als=AlsSettings(rank=32, regularisation=1.0, alpha=10, half_life_days=30, iterations=10),
    half_lives=HalfLives(trend=14, repurchase=60),
    lanes={},
)
CHANCE = 5


def described_shop():
    """Returns the table `products` of the demo shop with names, categories, brands and prices."""
    shop = Shop(start=dt.date(2026, 9, 1), customers=2000, products=500, orders_per_day=500)
    table = catalogue([product.id for product in shop.catalogue])
    for name in (c.NAME, c.CATEGORY, c.BRAND, c.PRICE):
        index = table.schema.get_field_index(name)
        table = table.set_column(
            index, name, pa.array([getattr(product, name) for product in shop.catalogue])
        )
    return table


@pytest.fixture(scope="module")
def hidden_tenth():
    """A bundle of 40 days without a tenth of the products, the truth, the hidden rows, and all before."""
    shop = demo(days=50)
    cut = int(shop.day.max()) - 10
    truth = shop.bought(cut, cut + 10)
    hidden = cold.draw_products(truth, 0.1, seed=1)
    known = cold.without_products(shop, hidden).until(cut)
    products = described_shop()
    bundle = fit_bundle(known, products, CHOSEN, no_rules(products.num_rows), "implicit")
    return bundle, truth, hidden, shop.until(cut)


def test_hit_rates_of_hidden_products_beat_chance_and_popularity_within_category(hidden_tenth):
    bundle, truth, hidden, before = hidden_tenth
    assert bundle.new[hidden].all()
    for purchases in (truth, cold.first_purchases(truth, before)):
        rates = cold.hit_rates(bundle, purchases, hidden)
        popular = cold.hit_rates(bundle, purchases, hidden, cold.popularity_within_category(bundle))
        print(rates, popular, sep="\n")
        assert rates.among_hidden > popular.among_hidden
        assert rates.among_all > popular.among_all
        assert rates.among_all > CHANCE * rates.chance_among_all
    assert 0.01 < rates.shown < 0.3  # a tenth of all products is hidden


def test_factors_alone_never_recommend_a_product_without_buyers(hidden_tenth):
    bundle, truth, hidden, _ = hidden_tenth
    plain = replace(bundle, new=np.zeros_like(bundle.new))
    assert cold.hit_rates(plain, truth, hidden).among_all == 0


def test_estimates_are_calibrated_on_products_with_buyers():
    """All products have the same description, so each known product is estimated from the others."""
    described = np.tile([[1.0, 0.0]], (4, 1))
    popularity = np.array([9, 9, 9, 0])
    factors = np.array([[2.0], [2.0], [2.0], [0.0]])
    estimated = new_products.estimate(described, np.ones(4, bool), popularity, factors, popularity * 1.0)
    assert estimated.rows.tolist() == [3]
    # Shrinkage lowers the calibration estimates too (2 neighbours against 3), so the scale corrects for it.
    np.testing.assert_allclose(estimated.factors, 2 * (3 / 3.5) / (2 / 2.5))
    np.testing.assert_allclose(estimated.trend, 9 * (3 / 3.5) / (2 / 2.5))


@pytest.mark.parametrize(
    ("described", "eligible", "popularity"),
    [
        ([[1, 0], [0, 0]], [1, 1], [9, 0]),  # no description
        ([[1, 0], [1, 0]], [1, 0], [9, 0]),  # not eligible
        ([[1, 0], [0, 1]], [1, 1], [9, 0]),  # no similar product sold
        ([[1, 0], [1, 0]], [1, 1], [2, 0]),  # the similar product has too few buyers
        ([[1, 0], [1, 0]], [1, 1], [9, 1]),  # bought already
        ([[1, 0], [1, 0]], [1, 1], [0, 0]),  # nothing has sold
    ],
)
def test_gives_no_estimate_without_a_similar_product_with_buyers(described, eligible, popularity):
    factors = np.ones((2, 3), np.float32)
    estimated = new_products.estimate(
        np.array(described, np.float32),
        np.array(eligible, bool),
        np.array(popularity),
        factors,
        factors[:, 0],
    )
    assert len(estimated.rows) == len(estimated.factors) == len(estimated.trend) == 0


def test_gives_no_estimate_for_placeholders_and_products_out_of_stock():
    shop = checkerboard()
    names = [product.decode() for product in shop.products]
    missing = shop.where(~np.isin(shop.product, [0, 1, 2]))
    products = catalogue(names)
    products = products.set_column(5, c.IN_STOCK, pa.array([name != "p01" for name in names]))
    products = products.set_column(6, c.PLACEHOLDER, pa.array([name == "p02" for name in names]))
    boosted = CHOSEN.model_copy(update={"als": CHOSEN.als.model_copy(update={"trend_power": 0.5})})
    bundle = fit_bundle(missing.until(100), products, boosted, no_rules(len(names)), "implicit")
    assert np.flatnonzero(bundle.new).tolist() == [0]
    assert bundle.manifest["counts"]["new_products"] == 1
    assert bundle.item_factors[0].any()
    assert bundle.boost[0] > bundle.trend[0] == 0
    assert not bundle.content_factors[2].any()
