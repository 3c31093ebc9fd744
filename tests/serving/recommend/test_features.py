"""Features and candidates over the small bundle, whose every number is arithmetic: see bundles.py."""

import dataclasses

import bundles
import numpy as np
import pytest
import random_bundles

from serving.bundle.format import Bundle
from serving.bundle.traits import FEATURE_NAMES, PRODUCT, PURCHASE, UNKNOWN
from serving.live.identity import pseudonym
from serving.recommend.features import Neighbourhood, PairSums, candidates, features


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
    found = features(Neighbourhood(told, np.array([customer])), np.array([0, 0]), np.array([1, 4]))
    rows = [dict(zip(FEATURE_NAMES, row.tolist(), strict=True)) for row in found]
    assert found.dtype == np.float32
    assert [row["orders"] for row in rows] == [start + 1, UNKNOWN]  # coffee-2 is her second purchase
    assert [row["visits"] for row in rows] == [customer, customer]
    assert [row["buyers"] for row in rows] == [1, 4]
    assert [row["taste"] for row in rows] == pytest.approx([1.8, 0.5])
    assert [row["trending_taste"] for row in rows] == pytest.approx([1.8, 0.5 * 4**0.5])


def test_what_is_bought_with_ones_own_weighs_by_orders_and_cosine(told: Bundle) -> None:
    customer = anna(told)
    coffee_1, coffee_2 = (int(told.history_start[customer]) + place for place in (0, 1))
    found = Neighbourhood(told, np.array([customer])).bought_with
    # coffee-1 is near coffee-2 and coffee-2 near coffee-1, by 0.5 each
    assert found.lookup(np.arange(7)).tolist() == pytest.approx(
        [coffee_2 * 0.5, coffee_1 * 0.5, 0, 0, 0, 0, 0]
    )


def test_features_of_many_are_those_of_each(told: Bundle) -> None:
    customers, products = np.array([1, 0, 1, 0]), np.array([3, 6, 0, 4])
    together = features(Neighbourhood(told, np.array([0, 1])), customers, products)
    first = np.array([0])
    alone = [features(Neighbourhood(told, customers[[i]]), first, products[[i]])[0] for i in range(4)]
    np.testing.assert_array_equal(together, alone)


def test_candidates_are_own_products_leading_ones_and_what_is_near(bundle: Bundle) -> None:
    near = dataclasses.replace(bundle, user_factors=np.zeros_like(bundle.user_factors))
    rows, products = candidates(Neighbourhood(near, np.array([anna(near), 1 - anna(near)])))
    # Anna's coffees and the leading teas; Boris's tea-1 and tea-3, and tea-2, that leads
    assert [products[rows == row].tolist() for row in (0, 1)] == [[0, 1, 4, 5], [4, 5, 6]]
    far = dataclasses.replace(near, neighbours=np.full_like(near.neighbours, 2))
    _, products = candidates(Neighbourhood(far, np.array([anna(far)])))
    assert products.tolist() == [0, 1, 2, 4, 5]  # coffee-3 is near her coffees now


def test_nobodys_product_is_no_candidate(bundle: Bundle) -> None:
    leading = dataclasses.replace(bundle, leading=np.arange(7, dtype=np.int32))
    assert candidates(Neighbourhood(leading, np.array([0])))[1].tolist() == [
        0,
        1,
        2,
        4,
        5,
        6,
    ]  # all but `new`


def test_of_many_the_best_are_candidates(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("BY_TASTE", "BY_BUYERS", "BY_BASKETS", "BY_PURCHASE"):
        monkeypatch.setattr(f"serving.recommend.features.{name}", 1)
    traits = bundle.product_traits.copy()
    traits[:, PRODUCT.index("buyers_30d")] = [1, 1, 1, 1, 1, 9, 1]
    own = bundle.history_traits.copy()
    own[int(bundle.history_start[anna(bundle)]), PURCHASE.index("orders_90d")] = 5
    few = dataclasses.replace(
        bundle, product_traits=traits, history_traits=own, leading=np.empty(0, np.int32)
    )
    # coffee-1 is what she buys most; coffee-3 her taste: 1.6, before tea-2 times the root of its trend: 1.35
    assert candidates(Neighbourhood(few, np.array([anna(few)])))[1].tolist() == [0, 2]


def test_of_each_of_many_the_best_others_are_candidates_and_of_equals_the_first(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("BY_TASTE", "BY_BUYERS", "BY_BASKETS", "BY_PURCHASE"):
        monkeypatch.setattr(f"serving.recommend.features.{name}", 7)
    told = random_bundles.draw(np.random.default_rng(seed))
    coarse = {name: np.ceil(getattr(told, name) * 3) for name in ("neighbour_cosine", "basket_cosine")}
    told = dataclasses.replace(told, history_traits=np.ceil(told.history_traits * 3), **coarse)
    customers = np.random.default_rng(seed).permutation(len(told.customers))
    rows, products = candidates(Neighbourhood(told, customers))
    for row, customer in enumerate(customers.tolist()):
        assert products[rows == row].tolist() == by_sorting(told, customer, 7)


def by_sorting(bundle: Bundle, customer: int, count: int) -> list[int]:
    """The candidates of a customer by sorting all products."""
    around, everything = Neighbourhood(bundle, np.array([customer])), np.arange(len(bundle.products))
    own, others = bundle.bought(customer), set(bundle.leading.tolist())
    strength = np.zeros(len(everything))
    strength[own] = bundle.history_traits[bundle.history_rows(customer), PURCHASE.index("orders_90d")]
    taste = bundle.item_factors @ bundle.user_factors[customer] * bundle.recent_boost
    for near in (taste, around.bought_with.lookup(everything), around.basket_with.lookup(everything)):
        near[own] = 0
        others |= {one for one in np.argsort(-near, kind="stable")[:count].tolist() if near[one] > 0}
    again = {one for one in np.argsort(-strength, kind="stable")[:count].tolist() if strength[one] > 0}
    found = (others - set(own.tolist())) | again
    return sorted(one for one in found if bundle.popularity[one] > 0)


def test_weights_are_summed_by_keys_of_any_size(seed: int) -> None:
    rng, sizes = np.random.default_rng(seed), np.array([0, 1, 2**16, 2**16 + 1, 2**33, 2**33 + 2**16])
    keys, weights = rng.choice(sizes, 100), rng.integers(1, 9, 100).astype(np.float32)
    found = PairSums.of(keys, weights, 2**20, 2**20)
    assert found.keys.tolist() == sizes.tolist()
    assert found.values.tolist() == [weights[keys == one].sum() for one in sizes]
