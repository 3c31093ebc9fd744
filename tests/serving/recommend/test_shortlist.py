"""Recommendations from shortlists agree with the scores of all products, which the evaluation measures."""

import numpy as np
import pytest
import random_bundles

from serving.bundle import highest
from serving.bundle.format import Array, Bundle
from serving.bundle.highest import top_n
from serving.recommend import features
from serving.recommend.lanes import LANES, Lane
from serving.recommend.recommender import Item, Variety, recommend, scores, trend_scores, trending
from serving.recommend.rerank import POOL, cap_categories, penalise_shown

pytestmark = pytest.mark.fast

COMPONENTS = ("popularity", "trend", "repurchase", "als", "ranker")


@pytest.fixture(autouse=True)
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shrinks the steps of a search, so that it skips most of a few hundred products."""
    monkeypatch.setattr(highest, "BLOCK", 8)
    monkeypatch.setattr(highest, "HEAD", 20)
    for name in ("BY_TASTE", "BY_BUYERS", "BY_BASKETS", "BY_PURCHASE"):
        monkeypatch.setattr(features, name, 9)


@pytest.fixture
def rng(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def masks(rng: np.random.Generator, bundle: Bundle) -> list[Array | None]:
    rare = bundle.categories.codes == 3
    return [None, bundle.in_stock, rng.random(len(bundle.products)) < 0.02, rare, rare & ~rare]


def assert_agree(values: Array, order: Array, items: list[Item]) -> None:
    """Checks that items are the products that sorting all scores gives, apart from equal scores."""
    assert len(items) == len(order)
    np.testing.assert_allclose([item.score for item in items], values[order], rtol=1e-5, atol=1e-5)
    products = np.array([item.product for item in items], dtype=np.int64)
    np.testing.assert_allclose(values[products], values[order], rtol=1e-5, atol=1e-5)
    assert len(set(products.tolist())) == len(products)


@pytest.mark.parametrize("component", COMPONENTS)
@pytest.mark.parametrize("strength", [0.0, 0.5])
def test_recommends_the_highest_of_all_scores(
    rng: np.random.Generator, component: str, strength: float
) -> None:
    lanes = dict.fromkeys(LANES, component)
    bundle = random_bundles.draw(rng, lanes=lanes, strength=strength)
    for lane in LANES:
        for allowed in masks(rng, bundle):
            all_scores = scores(bundle, np.arange(len(bundle.customers)), lane, allowed=allowed)
            for customer, values in enumerate(all_scores):
                n = int(rng.integers(1, 30))
                items = recommend(bundle, customer, lane, n, allowed)
                assert_agree(values, top_n(values, n), items)


@pytest.mark.parametrize("component", ["repurchase", "ranker"])
def test_variety_applies_to_all_products(rng: np.random.Generator, component: str) -> None:
    bundle = random_bundles.draw(rng, lanes=dict.fromkeys(LANES, component))
    shown = tuple(rng.choice(len(bundle.products), 60, replace=False).tolist())
    for lane in LANES:
        for customer, values in enumerate(scores(bundle, np.arange(len(bundle.customers)), lane)):
            penalised = penalise_shown(values, top_n(values, POOL), shown)
            order = cap_categories(top_n(penalised, len(penalised)), bundle.categories.codes, 2)[:40]
            items = recommend(bundle, customer, lane, 40, variety=Variety(2, shown))
            assert_agree(values, order, items)


def test_trending_returns_the_highest_of_all_trend_scores(rng: np.random.Generator) -> None:
    bundle = random_bundles.draw(rng)
    region = bundle.trend * bundle.fallback_scale
    region[bundle.group_product] += bundle.group_trend
    cases = [(None, bundle.trend, None), (0, region, None), (None, bundle.recent[1], bundle.by_recent[1])]
    for allowed in masks(rng, bundle):
        for group, buyers, sorted_buyers in cases:
            values = trend_scores(bundle, buyers)
            values[~(np.ones(len(values), bool) if allowed is None else allowed)] = -np.inf
            items = trending(bundle, 25, allowed, group, buyers=sorted_buyers)
            assert_agree(values, top_n(values, 25), items)


@pytest.mark.parametrize("lane", LANES)
def test_scores_do_not_depend_on_the_other_customers(rng: np.random.Generator, lane: Lane) -> None:
    bundle = random_bundles.draw(rng)
    customers = rng.permutation(len(bundle.customers))
    together = scores(bundle, customers, lane)
    alone = np.concatenate([scores(bundle, np.array([customer]), lane) for customer in customers])
    np.testing.assert_allclose(together, alone, rtol=1e-5, atol=1e-5)
