"""What answers is what is measured: the few products looked at for an answer, against the scores of all."""

import numpy as np
import pytest
import random_bundles

from serving.bundle import highest
from serving.bundle.format import Array, Bundle
from serving.bundle.highest import top_n
from serving.recommend import features
from serving.recommend.recommender import LANES, Lane, Variety, recommend, scores, trend_scores, trending
from serving.recommend.rerank import POOL, cap_categories, penalise_shown

COMPONENTS = ("popularity", "trend", "repurchase", "als", "ranker")


@pytest.fixture(autouse=True)
def few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a few hundred products are as a hundred thousand: most are never looked at."""
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


def agree(values: Array, order: Array, found: list[tuple[int, float]]) -> None:
    """That an answer is what sorting all says, but for products that score the same by rounding."""
    assert len(found) == len(order)
    np.testing.assert_allclose([value for _, value in found], values[order], rtol=1e-5, atol=1e-6)
    products = np.array([product for product, _ in found], dtype=np.int64)
    np.testing.assert_allclose(values[products], values[order], rtol=1e-5, atol=1e-6)
    assert len(set(products.tolist())) == len(products)


@pytest.mark.parametrize("component", COMPONENTS)
@pytest.mark.parametrize("strength", [0.0, 0.5])
def test_an_answer_is_the_first_of_all_scores(
    rng: np.random.Generator, component: str, strength: float
) -> None:
    lanes = dict.fromkeys(LANES, component)
    bundle = random_bundles.draw(rng, lanes=lanes, strength=strength)
    for lane in LANES:
        for allowed in masks(rng, bundle):
            everyone = scores(bundle, np.arange(len(bundle.customers)), lane, allowed=allowed)
            for customer, values in enumerate(everyone):
                n = int(rng.integers(1, 30))
                items = recommend(bundle, customer, lane, n, allowed)
                agree(values, top_n(values, n), [(item.product, item.score) for item in items])


@pytest.mark.parametrize("component", ["repurchase", "ranker"])
def test_variety_is_of_all_products(rng: np.random.Generator, component: str) -> None:
    bundle = random_bundles.draw(rng, lanes=dict.fromkeys(LANES, component))
    shown = tuple(rng.choice(len(bundle.products), 60, replace=False).tolist())
    for lane in LANES:
        for customer, values in enumerate(scores(bundle, np.arange(len(bundle.customers)), lane)):
            again = penalise_shown(values, top_n(values, POOL), shown)
            order = cap_categories(top_n(again, len(again)), bundle.categories.codes, 2)[:40]
            items = recommend(bundle, customer, lane, 40, variety=Variety(2, shown))
            agree(values, order, [(item.product, item.score) for item in items])


def test_a_stranger_gets_the_first_of_the_trend(rng: np.random.Generator) -> None:
    bundle = random_bundles.draw(rng)
    within = bundle.trend * bundle.fallback_scale
    within[bundle.group_product] += bundle.group_trend
    asked = [(None, bundle.trend, None), (0, within, None), (None, bundle.recent[1], bundle.by_recent[1])]
    for allowed in masks(rng, bundle):
        for group, buyers, by in asked:
            values = trend_scores(bundle, buyers)
            values[~(np.ones(len(values), bool) if allowed is None else allowed)] = -np.inf
            items = trending(bundle, 25, allowed, group, buyers=by)
            agree(values, top_n(values, 25), [(item.product, item.score) for item in items])


@pytest.mark.parametrize("lane", LANES)
def test_customers_are_scored_together_as_one_by_one(rng: np.random.Generator, lane: Lane) -> None:
    bundle = random_bundles.draw(rng)
    customers = rng.permutation(len(bundle.customers))
    together = scores(bundle, customers, lane)
    alone = np.concatenate([scores(bundle, np.array([customer]), lane) for customer in customers])
    np.testing.assert_allclose(together, alone, rtol=1e-5, atol=1e-5)
