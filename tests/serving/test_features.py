"""Features and candidates over the small bundle, whose every number is arithmetic: see bundles.py."""

import dataclasses

import bundles
import numpy as np
import pytest

from serving.bundle import Bundle
from serving.features import bought_with, candidates, features
from serving.identity import pseudonym
from serving.traits import NAMES, PRODUCT, PURCHASE, UNKNOWN


@pytest.fixture
def told(bundle: Bundle) -> Bundle:
    """The small bundle with traits that tell rows apart: those of a purchase are its place and so on."""
    traits = {
        name: np.arange(len(getattr(bundle, name)), dtype=np.float32)[:, None]
        * np.ones_like(getattr(bundle, name))
        for name in ("history_traits", "customer_traits", "product_traits")
    }
    return dataclasses.replace(bundle, **traits)


def anna(bundle: Bundle) -> int:
    found = bundle.customer(pseudonym(bundles.ANNA, bundles.KEY))
    assert found is not None
    return found


def test_pairs_get_what_is_known_of_both(told: Bundle) -> None:
    customer = anna(told)
    start = int(told.history_start[customer])
    found = features(told, np.array([customer, customer]), np.array([1, 4]))
    rows = [dict(zip(NAMES, row.tolist(), strict=True)) for row in found]
    assert found.dtype == np.float32
    assert [row["orders"] for row in rows] == [start + 1, UNKNOWN]  # coffee-2 is her second purchase
    assert [row["visits"] for row in rows] == [customer, customer]
    assert [row["buyers"] for row in rows] == [1, 4]
    assert [row["taste"] for row in rows] == pytest.approx([1.8, 0.5])
    assert [row["trending_taste"] for row in rows] == pytest.approx([1.8, 0.5 * 4**0.5])
    assert [row["price_ratio"] for row in rows] == [1 - customer, 4 - customer]


def test_what_is_bought_with_ones_own_weighs_by_orders_and_cosine(told: Bundle) -> None:
    customer = anna(told)
    coffee_1, coffee_2 = (int(told.history_start[customer]) + place for place in (0, 1))
    found = bought_with(told, np.array([customer]))[0]
    # coffee-1 is near coffee-2 and coffee-2 near coffee-1, by 0.5 each
    assert found.tolist() == pytest.approx([coffee_2 * 0.5, coffee_1 * 0.5, 0, 0, 0, 0, 0])


def test_features_of_many_are_those_of_each(told: Bundle) -> None:
    customers, products = np.array([1, 0, 1, 0]), np.array([3, 6, 0, 4])
    together = features(told, customers, products)
    alone = [features(told, customers[[i]], products[[i]])[0] for i in range(4)]
    np.testing.assert_array_equal(together, alone)


def test_candidates_are_what_was_bought_once_at_least(bundle: Bundle) -> None:
    rows, products = candidates(bundle, np.array([0, 1]))
    sold = [0, 1, 2, 4, 5, 6]  # all but `new`
    assert [products[rows == row].tolist() for row in (0, 1)] == [sold, sold]


def test_candidates_are_few_of_many(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("BY_TASTE", "BY_NEIGHBOURS", "BY_BASKETS", "BY_TREND", "BY_SEASON", "BY_PURCHASE"):
        monkeypatch.setattr(f"serving.features.{name}", 1)
    trend = np.zeros_like(bundle.product_traits)
    trend[:, PRODUCT.index("buyers_30d")] = [1, 1, 1, 1, 1, 9, 1]
    own = bundle.history_traits.copy()
    own[int(bundle.history_start[anna(bundle)]), PURCHASE.index("orders_90d")] = 5
    narrow = dataclasses.replace(bundle, product_traits=trend, history_traits=own)
    _, products = candidates(narrow, np.array([anna(bundle)]))
    # coffee-1 is what she buys most; coffee-3 her taste: 1.6, before tea-2 times the root of its trend: 1.35
    assert products.tolist() == [0, 2, 5]
