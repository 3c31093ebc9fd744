"""Features and candidates over the small bundle, computed by hand: see bundles.py."""

import dataclasses

import bundles
import numpy as np
import pytest
import random_bundles

from serving.bundle.format import Bundle
from serving.bundle.traits import FEATURE_NAMES, PRODUCT, PURCHASE, UNKNOWN
from serving.live.identity import pseudonym
from serving.recommend.features import Neighbourhood, PairSums, candidates, features

pytestmark = pytest.mark.fast


@pytest.fixture
def numbered(bundle: Bundle) -> Bundle:
    """The small bundle, where each trait is the row's index, so that a test can see which row was read."""
    traits = {
        name: np.arange(len(getattr(bundle, name)), dtype=np.float32)[:, None]
        * np.ones_like(getattr(bundle, name))
        for name in ("history_traits", "customer_traits", "product_traits")
    }
    return dataclasses.replace(bundle, **traits)


def anna(bundle: Bundle) -> int:
    row = bundle.customer(pseudonym(bundles.ANNA, bundles.KEY))
    assert row is not None
    return row


def test_a_pair_has_the_features_of_its_customer_product_and_purchase(numbered: Bundle) -> None:
    customer = anna(numbered)
    start = int(numbered.history_start[customer])
    values = features(Neighbourhood(numbered, np.array([customer])), np.array([0, 0]), np.array([1, 4]))
    rows = [dict(zip(FEATURE_NAMES, row.tolist(), strict=True)) for row in values]
    assert values.dtype == np.float32
    assert [row["orders"] for row in rows] == [start + 1, UNKNOWN]  # coffee-2 is her second purchase
    assert [row["visits"] for row in rows] == [customer, customer]
    assert [row["buyers"] for row in rows] == [1, 4]
    assert [row["taste"] for row in rows] == pytest.approx([1.8, 0.5])
    assert [row["trending_taste"] for row in rows] == pytest.approx([1.8, 0.5 * 4**0.5])


def test_bought_with_sums_orders_times_cosine(numbered: Bundle) -> None:
    customer = anna(numbered)
    coffee_1, coffee_2 = (int(numbered.history_start[customer]) + offset for offset in (0, 1))
    sums = Neighbourhood(numbered, np.array([customer])).bought_with
    # the cosine of coffee-1 and coffee-2 is 0.5
    assert sums.lookup(np.arange(7)).tolist() == pytest.approx(
        [coffee_2 * 0.5, coffee_1 * 0.5, 0, 0, 0, 0, 0]
    )


def test_features_do_not_depend_on_the_other_pairs(numbered: Bundle) -> None:
    customers, products = np.array([1, 0, 1, 0]), np.array([3, 6, 0, 4])
    together = features(Neighbourhood(numbered, np.array([0, 1])), customers, products)
    first = np.array([0])
    alone = [features(Neighbourhood(numbered, customers[[i]]), first, products[[i]])[0] for i in range(4)]
    np.testing.assert_array_equal(together, alone)


def test_candidates_are_own_leading_and_similar_products(bundle: Bundle) -> None:
    near = dataclasses.replace(bundle, user_factors=np.zeros_like(bundle.user_factors))
    rows, products = candidates(Neighbourhood(near, np.array([anna(near), 1 - anna(near)])))
    # Anna's coffees and the leading teas; Boris's tea-1 and tea-3, and the leading tea-2
    assert [products[rows == row].tolist() for row in (0, 1)] == [[0, 1, 4, 5], [4, 5, 6]]
    far = dataclasses.replace(near, neighbours=np.full_like(near.neighbours, 2))
    _, products = candidates(Neighbourhood(far, np.array([anna(far)])))
    assert products.tolist() == [0, 1, 2, 4, 5]  # coffee-3 is now a neighbour of her coffees


def test_a_product_without_buyers_is_no_candidate(bundle: Bundle) -> None:
    leading = dataclasses.replace(bundle, leading=np.arange(7, dtype=np.int32))
    assert candidates(Neighbourhood(leading, np.array([0])))[1].tolist() == [
        0,
        1,
        2,
        4,
        5,
        6,
    ]  # all but `new`


def test_the_best_of_each_kind_are_candidates(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("BY_TASTE", "BY_BUYERS", "BY_BASKETS", "BY_PURCHASE"):
        monkeypatch.setattr(f"serving.recommend.features.{name}", 1)
    traits = bundle.product_traits.copy()
    traits[:, PRODUCT.index("buyers_30d")] = [1, 1, 1, 1, 1, 9, 1]
    own = bundle.history_traits.copy()
    own[int(bundle.history_start[anna(bundle)]), PURCHASE.index("orders_90d")] = 5
    few = dataclasses.replace(
        bundle, product_traits=traits, history_traits=own, leading=np.empty(0, np.int32)
    )
    # she buys coffee-1 most; her taste for coffee-3 is 1.6, for tea-2 0.45 times the root of 9 buyers: 1.35
    assert candidates(Neighbourhood(few, np.array([anna(few)])))[1].tolist() == [0, 2]


def test_candidates_agree_with_sorting_all_products(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("BY_TASTE", "BY_BUYERS", "BY_BASKETS", "BY_PURCHASE"):
        monkeypatch.setattr(f"serving.recommend.features.{name}", 7)
    bundle = random_bundles.draw(np.random.default_rng(seed))
    coarse = {name: np.ceil(getattr(bundle, name) * 3) for name in ("neighbour_cosine", "basket_cosine")}
    bundle = dataclasses.replace(bundle, history_traits=np.ceil(bundle.history_traits * 3), **coarse)
    customers = np.random.default_rng(seed).permutation(len(bundle.customers))
    rows, products = candidates(Neighbourhood(bundle, customers))
    for row, customer in enumerate(customers.tolist()):
        assert products[rows == row].tolist() == by_sorting(bundle, customer, 7)


def by_sorting(bundle: Bundle, customer: int, count: int) -> list[int]:
    """Returns a customer's candidates by sorting all products."""
    nearby, every_row = Neighbourhood(bundle, np.array([customer])), np.arange(len(bundle.products))
    own, others = bundle.bought(customer), set(bundle.leading.tolist())
    strength = np.zeros(len(every_row))
    strength[own] = bundle.history_traits[bundle.history_rows(customer), PURCHASE.index("orders_90d")]
    taste = bundle.item_factors @ bundle.user_factors[customer] * bundle.recent_boost
    for near in (taste, nearby.bought_with.lookup(every_row), nearby.basket_with.lookup(every_row)):
        near[own] = 0
        others |= {row for row in np.argsort(-near, kind="stable")[:count].tolist() if near[row] > 0}
    repeated = {row for row in np.argsort(-strength, kind="stable")[:count].tolist() if strength[row] > 0}
    rows = (others - set(own.tolist())) | repeated
    return sorted(row for row in rows if bundle.popularity[row] > 0)


def test_sums_weights_by_keys_of_any_size(seed: int) -> None:
    rng, sizes = np.random.default_rng(seed), np.array([0, 1, 2**16, 2**16 + 1, 2**33, 2**33 + 2**16])
    keys, weights = rng.choice(sizes, 100), rng.integers(1, 9, 100).astype(np.float32)
    sums = PairSums.of(keys, weights, 2**20, 2**20)
    assert sums.keys.tolist() == sizes.tolist()
    assert sums.values.tolist() == [weights[keys == key].sum() for key in sizes]
