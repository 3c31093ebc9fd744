"""The ranker: its training windows and examples, its scores, and shops with too little history for it."""

import datetime as dt
from dataclasses import replace

import numpy as np
import pytest
import xgboost as xgb
from shops import catalogue, interactions_of, random_shop

from pipelines.evaluate import NDCG, evaluate, summary
from pipelines.prepare.interactions import day_number
from pipelines.train import ranker
from pipelines.train.als import AlsSettings
from pipelines.train.association_rules import no_rules
from pipelines.train.bundle import fit_bundle, reopen
from pipelines.train.ranker import RankerSettings
from pipelines.train.recipe import HalfLives, ModelSettings
from serving.bundle.files import load, save
from serving.errors import BundleError
from serving.recommend.features import candidates
from serving.recommend.lanes import LANES
from serving.recommend.ranker import NEW_PRODUCT_DISCOUNT
from serving.recommend.ranker import ranker as ranked
from serving.recommend.reasons import score_losses
from serving.recommend.recommender import recommend, scores

SETTINGS = RankerSettings(windows=2, window_days=7, trees=30, unbought=1.0)


def fitted(shop, day, settings=SETTINGS):
    chosen = ModelSettings(
        als=AlsSettings(rank=4, iterations=2),
        ranker=settings,
        half_lives=HalfLives(trend=7, repurchase=30),
        lanes=dict.fromkeys(LANES, "ranker"),
    )
    products = catalogue([product.decode() for product in shop.products])
    return fit_bundle(shop.until(day), products, chosen, no_rules(products.num_rows), "implicit")


def cycles(seed, customers=60, days=120):
    """Returns a shop whose customers buy four products every 8, 12, 16 and 24 days.

    So the products that are due are not those that were just bought.
    """
    rng = np.random.default_rng(seed)
    rows = {}
    for customer in range(customers):
        own = rng.choice(40, 4, replace=False)
        for product, period in zip(own, (8, 12, 16, 24), strict=True):
            for day in range(int(rng.integers(period)), days, period):
                rows[f"c{customer:02}", f"p{product:02}", day + 1] = (1, 0)
    return interactions_of([(*key, *value) for key, value in rows.items()], [f"p{p:02}" for p in range(40)])


@pytest.fixture(scope="module")
def shop():
    return cycles(3)


@pytest.fixture(scope="module")
def bundle(shop):
    return reopen(fitted(shop, 117))


def test_the_ranker_learns_what_is_due_better_than_every_baseline(shop, bundle):
    truth = shop.bought(117, 120)
    results = {
        model: summary(evaluate(bundle, truth, model, model))[model]["for-you"][NDCG]
        for model in ("trend", "repurchase", "als", "ranker")
    }
    print(results)
    assert results.pop("ranker") > 1.1 * max(results.values())


def test_served_scores_equal_evaluated_scores(bundle):
    customers = np.arange(len(bundle.customers))
    together = scores(bundle, customers, "discover")
    for customer in customers[:10]:
        np.testing.assert_array_equal(
            scores(bundle, customers[[customer]], "discover")[0], together[customer]
        )
        served = recommend(bundle, int(customer), "discover", 5)
        assert [item.score for item in served] == sorted(together[customer].tolist(), reverse=True)[:5]


def test_candidates_rank_before_all_other_products_with_finite_scores(bundle, monkeypatch):
    for name in ("BY_TASTE", "BY_BUYERS", "BY_BASKETS"):
        monkeypatch.setattr(f"serving.recommend.features.{name}", 2)
    bundle = replace(bundle, leading=bundle.leading[:3])
    customers = np.arange(5)
    values, pairs = ranked(bundle, customers), candidates(bundle, customers)
    chosen = np.zeros(values.shape, bool)
    chosen[pairs.rows, pairs.products] = True
    assert 0 < chosen.sum() < chosen.size
    assert np.isfinite(values).all()
    assert all(row[own].min() > row[~own].max() for row, own in zip(values, chosen, strict=True))


def test_reasons_are_purchases_or_the_trend(bundle):
    for customer in range(10):
        own = set(bundle.bought(customer).tolist())
        for item in recommend(bundle, customer, "for-you", 10):
            if item.kind == "repurchase":
                assert item.because == (item.product,)
                assert item.product in own
            elif item.kind == "taste":
                assert item.because
                assert own.issuperset(item.because)
                weight = bundle.history_weight[bundle.history_rows(customer)]
                lost = score_losses(bundle, bundle.bought(customer), weight, np.array([item.product]))[0]
                assert (lost[np.isin(bundle.bought(customer), item.because)] > 0).all()
            else:
                assert (item.kind, item.because) == ("trending", ())


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_the_same_shop_gives_the_same_bytes_whatever_the_threads(shop, bundle, threads):
    with xgb.config_context(nthread=threads):
        assert fitted(shop, 117).ranker.tobytes() == bundle.ranker.tobytes()


def test_windows_end_with_the_last_day_and_leave_a_history_before_them():
    shop = random_shop(1, days=50).until(50)
    first, last = int(shop.day.min()), int(shop.day.max())
    assert ranker.cuts(shop, SETTINGS) == [(last - 7, last), (last - 14, last - 7)]
    shorter = (last - first + 1) // 5  # a fifth of the history
    results = ranker.cuts(shop, RankerSettings(windows=9))
    assert results[0] == (last - shorter, last)
    assert all(day - shorter >= first for day, _ in results)
    assert ranker.cuts(shop.where(shop.day > last - 3), SETTINGS) == []


def test_each_window_is_predicted_by_a_bundle_that_ends_before_it(shop, monkeypatch):
    seen, examples = [], ranker.examples

    def recording_examples(bundle, truth, settings):
        seen.append((day_number(dt.date.fromisoformat(bundle.manifest["window"]["last_day"])), truth.day))
        return examples(bundle, truth, settings)

    monkeypatch.setattr(ranker, "examples", recording_examples)
    fitted(shop, 117)
    assert [(last, days.min(), days.max()) for last, days in seen] == [(110, 111, 117), (103, 104, 110)]


def test_a_shop_with_few_days_gets_no_ranker_and_falls_back_to_popularity():
    shop = random_shop(1, days=4)
    bundle = reopen(fitted(shop, 4))
    assert len(bundle.ranker) == 0
    assert bundle.trees is None
    everyone = np.arange(len(bundle.customers))
    np.testing.assert_array_equal(
        np.argsort(-scores(bundle, everyone, "for-you"), axis=1, kind="stable"),
        np.argsort(-scores(bundle, everyone, "for-you", "popularity"), axis=1, kind="stable"),
    )


def test_windows_without_purchases_give_no_ranker():
    rows = [("a", "x", day, 1, 0) for day in (1, 2, 3)] + [("b", "y", 100, 1, 0)]
    assert len(fitted(interactions_of(rows), 100).ranker) == 0


def test_examples_respect_the_limits_on_customers_and_unbought_candidates(shop, bundle):
    truth = shop.bought(117, 120)
    few = ranker.examples(bundle, truth, SETTINGS.model_copy(update={"customers": 7}))
    assert len(np.unique(few.customer)) == 7
    part = ranker.examples(bundle, truth, SETTINGS.model_copy(update={"unbought": 0.3}))
    whole = ranker.examples(bundle, truth, SETTINGS)
    assert part.bought.sum() == whole.bought.sum()
    assert 0.2 < (~part.bought).sum() / (~whole.bought).sum() < 0.4


@pytest.mark.parametrize("damage", ["truncated", "other", "fewer features"])
def test_loading_a_bundle_with_an_unreadable_ranker_raises(bundle, tmp_path, damage):
    content = {
        "truncated": bundle.ranker[: len(bundle.ranker) // 2],
        "other": np.frombuffer(b'{"learner":{}}', np.uint8),
        "fewer features": _model_of_two_features(),
    }[damage]
    save(replace(bundle, ranker=content), tmp_path / "bundle")
    with pytest.raises(BundleError, match="the ranker's model in the bundle"):
        load(tmp_path / "bundle")


def _model_of_two_features():
    model = xgb.train({"objective": "rank:ndcg"}, xgb.DMatrix(np.eye(2), [1, 0], qid=[0, 0]), 1)
    return np.frombuffer(bytes(model.save_raw("json")), np.uint8)


@pytest.mark.parametrize(("liking", "rank"), [(10.0, 0), (0.0, None), (-10.0, None)])
def test_a_new_product_ranks_by_the_customers_taste(bundle, liking, rank):
    product, customer = 39, 0
    sold, factors = bundle.popularity.copy(), bundle.item_factors.copy()
    sold[product], factors[product] = 0, liking * bundle.user_factors[customer]
    new = np.arange(len(sold)) == product
    introduced = replace(bundle, popularity=sold, new=new, item_factors=factors)
    values = ranked(introduced, np.array([customer, 1]))[customer]
    products = candidates(introduced, np.array([customer])).products
    assert product not in products
    falling = np.sort(values[products])[::-1]
    assert values[product] == (falling[rank] if rank is not None else 0)
    answered = recommend(introduced, customer, "for-you", 3)
    assert (product in [item.product for item in answered]) == (rank == 0)


def test_a_new_product_between_two_candidates_has_the_score_of_the_second(bundle):
    product, customers = 39, np.array([0])
    sold, factors = bundle.popularity.copy(), bundle.item_factors.copy()
    sold[product] = 0
    new = np.arange(len(sold)) == product
    introduced = replace(bundle, popularity=sold, new=new)
    products = candidates(introduced, customers).products
    tastes = np.sort(bundle.item_factors[products] @ bundle.user_factors[0])[::-1]
    user = bundle.user_factors[0]
    factors[product] = user * (tastes[2] + tastes[3]) / 2 / (user @ user) / NEW_PRODUCT_DISCOUNT
    values = ranked(replace(introduced, item_factors=factors), customers)[0]
    assert values[product] == np.sort(values[products])[::-1][3]
