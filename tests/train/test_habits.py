"""Traits updated while serving equal those of a fit on all purchases."""

import numpy as np
import pytest
from shops import catalogue, interactions_of

from pipelines.train import als
from pipelines.train.association_rules import no_rules
from pipelines.train.bundle import build
from pipelines.train.recipe import HalfLives
from serving.bundle.traits import CUSTOMER, PURCHASE
from serving.recommend.habits import traits_after_visit

pytestmark = pytest.mark.fast

LAST = 400
SHOP = [
    ("a", "x", LAST - 20, 2, 0),
    ("a", "x", LAST - 10, 4, 0),
    ("a", "y", LAST - 10, 1, 0),
    ("a", "w", LAST - 370, 1, 0),
    ("b", "x", LAST, 1, 0),
    ("b", "z", LAST - 9, 1, 0),
    ("c", "y", LAST - 3, 1, 0),
    ("c", "y", LAST - 1, 1, 0),
]


def fitted(rows):
    shop = interactions_of(rows)
    products = catalogue([product.decode() for product in shop.products])
    factors = als.zero_factors(len(shop.customers), len(shop.products))
    half_lives = HalfLives(trend=14, repurchase=30)
    return build(shop, products, factors, no_rules(products.num_rows), half_lives, {}, ranked=True)


@pytest.mark.parametrize(
    ("customer", "bought"),
    [("a", "x"), ("a", "z"), ("a", "wxyz"), ("c", "y"), ("c", "wz"), ("d", "x"), ("d", "wy")],
)
def test_traits_after_a_visit_equal_those_of_a_new_fit(customer, bought):
    before = fitted(SHOP)
    after = fitted([*SHOP, *((customer, product, LAST, 1, 0) for product in bought)])
    row = None if customer == "d" else "abc".index(customer)
    own = slice(0, 0) if row is None else before.history_rows(row)
    rows = np.array([before.product(product) for product in bought])
    history = after.history_rows("abcd".index(customer))
    products = np.union1d(before.history_product[own], rows)
    assert products.tolist() == after.history_product[history].tolist()
    computed = traits_after_visit(before, row, own, products, rows)
    values = dict(zip(CUSTOMER, computed["customer_traits"][0].tolist(), strict=True))
    expected = dict(zip(CUSTOMER, after.customer_traits["abcd".index(customer)].tolist(), strict=True))
    assert values == pytest.approx(expected, abs=1e-5)
    for index, product in enumerate(products):
        values = dict(zip(PURCHASE, computed["history_traits"][index].tolist(), strict=True))
        expected = dict(zip(PURCHASE, after.history_traits[history][index].tolist(), strict=True))
        assert values == pytest.approx(expected, abs=1e-5), product


def test_traits_stay_the_same_without_a_purchase():
    bundle = fitted(SHOP)
    own = bundle.history_rows(0)
    computed = traits_after_visit(bundle, 0, own, bundle.history_product[own], np.array([], np.int64))
    assert (computed["history_traits"] == bundle.history_traits[own]).all()
    assert (computed["customer_traits"][0] == bundle.customer_traits[0]).all()
