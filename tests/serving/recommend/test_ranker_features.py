"""Features and candidates over the small bundle, computed by hand (see bundles.py), and over random ones."""

import dataclasses

import bundles
import numpy as np
import pytest
import random_bundles

from serving.bundle.format import Array, Bundle
from serving.bundle.traits import FEATURE_NAMES, PRODUCT, PURCHASE, UNKNOWN
from serving.live.identity import pseudonym
from serving.recommend.features import candidates

pytestmark = pytest.mark.fast

KINDS = ("BY_TASTE", "BY_BUYERS", "BY_BASKETS", "BY_PURCHASE")
ORDERS_90D = PURCHASE.index("orders_90d")


@pytest.fixture
def numbered(bundle: Bundle) -> Bundle:
    """The small bundle, where each trait is the row's index, so that a test can see which row was read.

    All products are candidates.
    """
    traits = {
        name: np.arange(len(getattr(bundle, name)), dtype=np.float32)[:, None]
        * np.ones_like(getattr(bundle, name))
        for name in ("history_traits", "customer_traits", "product_traits")
    }
    return dataclasses.replace(bundle, leading=np.arange(7, dtype=np.int32), **traits)


def anna(bundle: Bundle) -> int:
    row = bundle.customer(pseudonym(bundles.ANNA, bundles.KEY))
    assert row is not None
    return row


def products(bundle: Bundle, customer: int) -> list[int]:
    """Returns a customer's candidates."""
    found: list[int] = candidates(bundle, np.array([customer])).products.tolist()
    return found


def features(bundle: Bundle, customer: int) -> dict[int, dict[str, float]]:
    """Returns the features of a customer's candidates, by product and name."""
    pairs = candidates(bundle, np.array([customer]))
    assert pairs.features.dtype == np.float32
    return {
        product: dict(zip(FEATURE_NAMES, row, strict=True))
        for product, row in zip(pairs.products.tolist(), pairs.features.tolist(), strict=True)
    }


def test_a_pair_has_the_features_of_its_customer_product_and_purchase(numbered: Bundle) -> None:
    customer = anna(numbered)
    start = int(numbered.history_start[customer])
    found = features(numbered, customer)
    rows = [found[product] for product in (1, 4)]
    assert [row["orders"] for row in rows] == [start + 1, UNKNOWN]  # coffee-2 is her second purchase
    assert [row["visits"] for row in rows] == [customer, customer]
    assert [row["buyers"] for row in rows] == [1, 4]
    assert [row["taste"] for row in rows] == pytest.approx([1.8, 0.5])
    assert [row["trending_taste"] for row in rows] == pytest.approx([1.8, 0.5 * 4**0.5])


def test_bought_with_sums_orders_times_cosine(numbered: Bundle) -> None:
    customer = anna(numbered)
    coffee_1, coffee_2 = (int(numbered.history_start[customer]) + offset for offset in (0, 1))
    traits = numbered.history_traits.copy()
    traits[:, ORDERS_90D] += 1  # a purchase without decayed orders is no candidate
    found = features(dataclasses.replace(numbered, history_traits=traits), customer)
    # the cosine of coffee-1 and coffee-2 is 0.5
    expected = {0: (coffee_2 + 1) * 0.5, 1: (coffee_1 + 1) * 0.5, 2: 0, 4: 0, 5: 0, 6: 0}
    assert {product: row["bought_with"] for product, row in found.items()} == pytest.approx(expected)


def test_features_do_not_depend_on_the_other_customers(seed: int) -> None:
    bundle = random_bundles.draw(np.random.default_rng(seed))
    customers = np.random.default_rng(seed).permutation(len(bundle.customers))
    together = candidates(bundle, customers)
    for row, customer in enumerate(customers.tolist()):
        alone = candidates(bundle, np.array([customer]))
        np.testing.assert_array_equal(together.products[together.rows == row], alone.products)
        np.testing.assert_array_equal(together.features[together.rows == row], alone.features)


def test_features_are_those_of_the_arrays(seed: int) -> None:
    bundle = random_bundles.draw(np.random.default_rng(seed))
    pairs = candidates(bundle, np.arange(len(bundle.customers)))
    expected = np.array(
        [by_arrays(bundle, *pair) for pair in zip(pairs.rows.tolist(), pairs.products.tolist(), strict=True)]
    )
    np.testing.assert_allclose(pairs.features, expected, rtol=2e-5, atol=1e-5)


def by_arrays(bundle: Bundle, customer: int, product: int) -> Array:
    """Returns the features of a pair, looked up with numpy."""
    own = bundle.history_rows(customer)
    at = np.flatnonzero(bundle.bought(customer) == product)
    purchase = bundle.history_traits[own][at[0]] if len(at) else np.full(len(PURCHASE), UNKNOWN)
    taste = bundle.user_factors[customer] @ bundle.item_factors[product]
    boost = bundle.recent_boost[product]
    bought_with = sums(bundle, customer, bundle.neighbours, bundle.neighbour_cosine)[product]
    basket_with = sums(bundle, customer, bundle.basket_neighbours, bundle.basket_cosine)[product]
    pair = (taste, taste * boost, bought_with, basket_with, bought_with * boost)
    return np.concatenate([purchase, bundle.customer_traits[customer], bundle.product_traits[product], pair])


def sums(bundle: Bundle, customer: int, neighbours: Array, cosine: Array) -> Array:
    """Returns the sums of orders times cosine over what a customer bought, (P,)."""
    own, total = bundle.bought(customer), np.zeros(len(bundle.products))
    weight = bundle.history_traits[bundle.history_rows(customer), ORDERS_90D]
    np.add.at(total, neighbours[own].ravel(), (weight[:, None] * cosine[own]).ravel())
    return total


def test_compiled_code_fits_every_bundle(bundle: Bundle) -> None:
    from serving.recommend import pairs

    doubles = dataclasses.replace(
        bundle,
        item_factors=bundle.item_factors.astype(np.float64),
        history_product=bundle.history_product.astype(np.int64),
        product_traits=np.asfortranarray(bundle.product_traits),
    )
    assert products(doubles, anna(bundle)) == products(bundle, anna(bundle))
    assert len(pairs.pairs.signatures) == 1  # type: ignore[attr-defined] # another would be compiled for seconds


def test_candidates_are_own_leading_and_similar_products(bundle: Bundle) -> None:
    near = dataclasses.replace(bundle, user_factors=np.zeros_like(bundle.user_factors))
    # Anna's coffees and the leading teas; Boris's tea-1 and tea-3, and the leading tea-2
    assert products(near, anna(near)) == [0, 1, 4, 5]
    assert products(near, 1 - anna(near)) == [4, 5, 6]
    far = dataclasses.replace(near, neighbours=np.full_like(near.neighbours, 2))
    assert products(far, anna(far)) == [0, 1, 2, 4, 5]  # coffee-3 is now a neighbour of her coffees


def test_a_product_without_buyers_is_no_candidate(bundle: Bundle) -> None:
    leading = dataclasses.replace(bundle, leading=np.arange(7, dtype=np.int32))
    assert products(leading, 0) == [0, 1, 2, 4, 5, 6]  # all but `new`


def test_the_best_of_each_kind_are_candidates(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in KINDS:
        monkeypatch.setattr(f"serving.recommend.features.{name}", 1)
    traits = bundle.product_traits.copy()
    traits[:, PRODUCT.index("buyers_30d")] = [1, 1, 1, 1, 1, 9, 1]
    own = bundle.history_traits.copy()
    own[int(bundle.history_start[anna(bundle)]), ORDERS_90D] = 5
    few = dataclasses.replace(
        bundle, product_traits=traits, history_traits=own, leading=np.empty(0, np.int32)
    )
    # she buys coffee-1 most; her taste for coffee-3 is 1.6, for tea-2 0.45 times the root of 9 buyers: 1.35
    assert products(few, anna(few)) == [0, 2]


def test_candidates_agree_with_sorting_all_products(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in KINDS:
        monkeypatch.setattr(f"serving.recommend.features.{name}", 7)
    bundle = random_bundles.draw(np.random.default_rng(seed))
    coarse = {name: np.ceil(getattr(bundle, name) * 3) for name in ("neighbour_cosine", "basket_cosine")}
    bundle = dataclasses.replace(bundle, history_traits=np.ceil(bundle.history_traits * 3), **coarse)
    for customer in range(len(bundle.customers)):
        assert products(bundle, customer) == by_sorting(bundle, customer, 7)


def by_sorting(bundle: Bundle, customer: int, count: int) -> list[int]:
    """Returns a customer's candidates by sorting all products."""
    own, others = bundle.bought(customer), set(bundle.leading.tolist())
    strength = np.zeros(len(bundle.products))
    strength[own] = bundle.history_traits[bundle.history_rows(customer), ORDERS_90D]
    taste = bundle.item_factors @ bundle.user_factors[customer] * bundle.recent_boost
    near_buyers = sums(bundle, customer, bundle.neighbours, bundle.neighbour_cosine).astype(np.float32)
    near_baskets = sums(bundle, customer, bundle.basket_neighbours, bundle.basket_cosine).astype(np.float32)
    for near in (taste, near_buyers, near_baskets):
        near[own] = 0
        others |= {row for row in np.argsort(-near, kind="stable")[:count].tolist() if near[row] > 0}
    repeated = {row for row in np.argsort(-strength, kind="stable")[:count].tolist() if strength[row] > 0}
    rows = (others - set(own.tolist())) | repeated
    return sorted(row for row in rows if bundle.popularity[row] > 0)
