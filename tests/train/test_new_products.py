"""Products without a buyer, by arithmetic and on the demo shop with a tenth of its products hidden."""

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
    """The demo shop's products with all that its catalogue says."""
    shop = Shop(start=dt.date(2026, 9, 1), customers=2000, products=500, orders_per_day=500)
    table = catalogue([product.id for product in shop.catalogue])
    for name in (c.NAME, c.CATEGORY, c.BRAND, c.PRICE):
        at = table.schema.get_field_index(name)
        table = table.set_column(at, name, pa.array([getattr(one, name) for one in shop.catalogue]))
    return table


@pytest.fixture(scope="module")
def hidden_tenth():
    """The bundle of 40 days without a tenth of the products, these products, and what was bought after."""
    shop = demo(days=50)
    cut = int(shop.day.max()) - 10
    truth = shop.bought(cut, cut + 10)
    hidden = cold.draw_products(truth, 0.1, seed=1)
    known = cold.without_products(shop, hidden).until(cut)
    products = described_shop()
    bundle = fit_bundle(known, products, CHOSEN, no_rules(products.num_rows), "implicit")
    return bundle, truth, hidden, shop.until(cut)


def test_hidden_products_are_found_far_more_often_than_by_chance_and_by_their_category(hidden_tenth):
    bundle, truth, hidden, before = hidden_tenth
    assert bundle.new[hidden].all()
    for asked in (truth, cold.first_purchases(truth, before)):
        found = cold.hit_rates(bundle, asked, hidden)
        popular = cold.hit_rates(bundle, asked, hidden, cold.popularity_within_category(bundle))
        print(found, popular, sep="\n")
        assert found.among_hidden > popular.among_hidden
        assert found.among_all > popular.among_all
        assert found.among_all > CHANCE * found.chance_among_all
    assert 0.01 < found.shown < 0.3  # they neither vanish nor flood: a tenth of all products is hidden


def test_plain_factors_never_find_what_nobody_bought(hidden_tenth):
    bundle, truth, hidden, _ = hidden_tenth
    plain = replace(bundle, new=np.zeros_like(bundle.new))
    assert cold.hit_rates(plain, truth, hidden).among_all == 0


def test_what_is_expected_is_calibrated_on_products_with_buyers():
    """Of each known product the others, described the same, foretell twice too much or too little."""
    described = np.tile([[1.0, 0.0]], (4, 1))
    popularity = np.array([9, 9, 9, 0])
    factors = np.array([[2.0], [2.0], [2.0], [0.0]])
    found = new_products.estimate(described, np.ones(4, bool), popularity, factors, popularity * 1.0)
    assert found.rows.tolist() == [3]
    # What neighbours say less the doubt falls short by the same share of every product: 2 and 9 come back.
    np.testing.assert_allclose(found.factors, 2 * (3 / 3.5) / (2 / 2.5))
    np.testing.assert_allclose(found.trend, 9 * (3 / 3.5) / (2 / 2.5))


@pytest.mark.parametrize(
    ("described", "eligible", "popularity"),
    [
        ([[1, 0], [0, 0]], [1, 1], [9, 0]),  # without a description
        ([[1, 0], [1, 0]], [1, 0], [9, 0]),  # not to be recommended
        ([[1, 0], [0, 1]], [1, 1], [9, 0]),  # described like nothing that sold
        ([[1, 0], [1, 0]], [1, 1], [2, 0]),  # alike to what hardly anyone bought
        ([[1, 0], [1, 0]], [1, 1], [9, 1]),  # bought already
        ([[1, 0], [1, 0]], [1, 1], [0, 0]),  # nothing has sold
    ],
)
def test_of_what_tells_nothing_nothing_is_expected(described, eligible, popularity):
    factors = np.ones((2, 3), np.float32)
    found = new_products.estimate(
        np.array(described, np.float32),
        np.array(eligible, bool),
        np.array(popularity),
        factors,
        factors[:, 0],
    )
    assert len(found.rows) == len(found.factors) == len(found.trend) == 0


def test_placeholders_and_what_is_out_of_stock_stay_out():
    shop = checkerboard()
    names = [one.decode() for one in shop.products]
    missing = shop.where(~np.isin(shop.product, [0, 1, 2]))
    products = catalogue(names)
    products = products.set_column(5, c.IN_STOCK, pa.array([one != "p01" for one in names]))
    products = products.set_column(6, c.PLACEHOLDER, pa.array([one == "p02" for one in names]))
    boosted = CHOSEN.model_copy(update={"als": CHOSEN.als.model_copy(update={"trend_power": 0.5})})
    bundle = fit_bundle(missing.until(100), products, boosted, no_rules(len(names)), "implicit")
    assert np.flatnonzero(bundle.new).tolist() == [0]
    assert bundle.manifest["counts"]["new_products"] == 1
    assert bundle.item_factors[0].any()
    assert bundle.boost[0] > bundle.trend[0] == 0
    assert not bundle.content_factors[2].any()
