"""Traits computed by hand: a shop of three customers, seen from its day 400."""

import numpy as np
import pytest
from shops import interactions_of

from pipelines.train import neighbours, repurchase
from pipelines.train.traits import traits
from serving.bundle.traits import CUSTOMER, PRODUCT, PURCHASE

pytestmark = pytest.mark.fast

LAST = 400
A_YEAR_AGO = LAST - 364
SHOP = [
    ("a", "x", LAST - 20, 2, 0),
    ("a", "x", LAST - 10, 4, 0),
    ("a", "y", LAST - 10, 1, 0),
    ("b", "x", A_YEAR_AGO + 5, 1, 0),
    ("b", "y", A_YEAR_AGO - 3, 1, 0),
    ("c", "y", LAST, 1, 0),
]


@pytest.fixture(scope="module")
def trait_values():
    """A function that returns a row of one of the tables of traits, by name of the trait."""
    shop = interactions_of(SHOP)
    computed = traits(shop, repurchase.history(shop, 30))

    def values(row, names, table):
        return dict(zip(names, getattr(computed, table)[row].tolist(), strict=True))

    return values


def test_traits_of_a_purchase_by_hand(trait_values):
    ax = trait_values(0, PURCHASE, "purchases")
    assert ax["orders"] == 2
    assert ax["orders_30d"] == pytest.approx(0.5 ** (20 / 30) + 0.5 ** (10 / 30))
    assert (ax["since_first"], ax["since_last"], ax["gap"], ax["due"]) == (20, 10, 10, 1)
    assert ax["share_of_visits"] == 1  # x on both of a's two days
    assert ax["gap_in_visits"] == 1
    assert ax["quantity"] == pytest.approx(np.log(1 + 6 / 2))
    assert ax["season"] == 0
    ay = trait_values(1, PURCHASE, "purchases")
    assert (ay["gap"], ay["due"], ay["gap_in_visits"], ay["share_of_visits"]) == (-1, -1, -1, 0.5)
    bx = trait_values(2, PURCHASE, "purchases")
    assert bx["season"] == 1  # five days after the same day a year ago


def test_traits_of_a_customer_by_hand(trait_values):
    a = trait_values(0, CUSTOMER, "customers")
    assert (a["visits"], a["tenure"], a["since_visit"], a["visit_gap"], a["visit_due"]) == (2, 20, 10, 10, 1)
    assert (a["basket"], a["last_basket"], a["assortment"]) == (1.5, 2, 2)
    assert a["repeats"] == pytest.approx(1 / 3)
    assert a["visits_30d"] == pytest.approx(0.5 ** (20 / 30) + 0.5 ** (10 / 30))
    b = trait_values(1, CUSTOMER, "customers")
    assert b["season_lines"] == 1  # only x: y came before the same day a year ago


def test_traits_of_a_product_by_hand(trait_values):
    x = trait_values(0, PRODUCT, "products")
    assert (x["buyers"], x["week"], x["fortnight"], x["month"], x["year"]) == (2, 0, 1, 1, 2)
    assert x["buyers_7d"] == pytest.approx(0.5 ** (10 / 7), rel=1e-5)
    assert (x["season_next"], x["season_now"], x["season_later"]) == (1, 0, 0)
    assert x["season_expected"] == (1 + 1) * (1 + 1) / (0 + 1)
    assert x["buys_again"] == 0.5
    assert (x["new_month"], x["new_quarter"]) == (1, 1)
    assert x["again_quarter"] == 0.5  # two lines in 90 days, one of them a's first
    assert (x["age"], x["since_sale"]) == (364 - 5, 10)
    y = trait_values(1, PRODUCT, "products")
    assert (y["season_next"], y["season_now"], y["buys_again"], y["growth"]) == (0, 1, 0, 3)


def test_neighbours_share_customers_or_baskets():
    rows = [("a", "x", 1), ("a", "y", 1), ("a", "z", 9), ("b", "x", 1), ("b", "y", 1), ("c", "z", 9)]
    shop = interactions_of([(*row, 1, 0) for row in rows])
    by_buyers, by_baskets = neighbours.by_buyers(shop), neighbours.by_baskets(shop)

    def of(trait_values, product):
        pairs = zip(
            trait_values.products[product].tolist(), trait_values.cosine[product].tolist(), strict=True
        )
        return {other: value for other, value in pairs if value > 0}

    assert of(by_buyers, 0) == pytest.approx({1: 1, 2: 0.5})  # z shares one of two buyers
    assert of(by_baskets, 0) == pytest.approx({1: 1}, rel=1e-3)
    assert of(by_baskets, 2) == {}
