"""Measures per lane and customer: which customers are measured, on which truth, with which lists."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from shops import catalogue, interactions_of, random_shop

from pipelines import columns as c
from pipelines.evaluate import (
    COVERAGE,
    DIVERSITY,
    METRICS,
    NDCG,
    NOVELTY,
    RECALL,
    RMSE,
    SEGMENT,
    TOP,
    by_segment,
    customer_segments,
    evaluate,
    known_only,
    per_customer,
    summary,
)
from pipelines.evaluate.names import SCHEMA
from pipelines.train import als
from pipelines.train.association_rules import no_rules
from pipelines.train.bundle import build
from pipelines.train.recipe import HalfLives
from serving.recommend.recommender import recommend

LANES = {"for-you": "repurchase", "buy-again": "repurchase", "discover": "trend"}


def bundle_of(before, factors=None):
    shape = (len(before.customers), len(before.products))
    return build(
        before,
        catalogue([product.decode() for product in before.products]),
        factors or als.zero_factors(*shape),
        no_rules(shape[1]),
        HalfLives(trend=7, repurchase=7),
        {"lanes": LANES},
    )


@pytest.fixture
def shop():
    """A shop: a and b bought x before the cut, c is unknown; y was sold before the cut, z was not."""
    rows = [("a", "x", 1, 1, 0), ("b", "x", 1, 1, 0), ("b", "y", 1, 1, 0)]
    later = [("a", "y", 5, 1, 0), ("a", "x", 5, 1, 0), ("b", "z", 5, 1, 0), ("c", "x", 5, 1, 0)]
    return interactions_of(rows + later, ["x", "y", "z"])


def test_measures_buyers_of_products_sold_before_and_unknown_customers_in_for_you_only(shop):
    table = evaluate(bundle_of(shop.until(1)), shop.bought(1, 5), "popularity", "popularity")
    measures = {(row["lane"], row["customer"]): row for row in table.to_pylist()}
    # b bought only z, which had no buyer at the cut, so b is not measured
    assert set(measures) == {("for-you", "a"), ("buy-again", "a"), ("discover", "a"), ("for-you", "c")}
    assert measures["for-you", "a"][RECALL] == 1.0
    assert measures["discover", "a"][NDCG] == 1.0  # y is all that a hasn't bought
    assert measures["discover", "a"][TOP] == [1]
    assert measures["for-you", "a"][TOP] == [0, 1]


def test_a_product_without_buyers_at_the_cut_never_counts_as_truth(shop):
    """z is new and first by factors for b, who buys it: it never counts, while y still counts for a."""
    bundle = bundle_of(shop.until(1), als.Factors(np.ones((2, 1), np.float32), np.float32([[1], [2], [3]])))
    introduced = replace(bundle, new=np.array([False, False, True]))
    tables = {
        variant.new.any(): evaluate(variant, shop.bought(1, 5), "m", "als")
        for variant in (bundle, introduced)
    }
    measures = {
        new: [(row["lane"], row["customer"], row[TOP]) for row in table.to_pylist()]
        for new, table in tables.items()
    }
    assert [row[:2] for row in measures[False]] == [row[:2] for row in measures[True]]
    assert ("for-you", "a", [1, 0]) in measures[False]
    assert ("for-you", "a", [2, 1, 0]) in measures[True]  # z takes a rank, as it does when serving


def test_unknown_customers_are_a_segment_outside_the_summary(shop):
    before = shop.until(1)
    table = evaluate(bundle_of(before), shop.bought(1, 5), "m", None, customer_segments(before))
    assert {row["customer"]: row[SEGMENT] for row in table.to_pylist()} == {"a": "new", "c": "unknown"}
    assert known_only(table)[c.CUSTOMER].unique().to_pylist() == ["a"]
    metrics = summary(table)["m"]["for-you"]
    assert metrics["customers"] == 1
    assert metrics[COVERAGE] == pytest.approx(2 / 3)  # z is in no list
    assert metrics[NOVELTY] == pytest.approx((0 + 1) / 2)  # all customers bought x, half of them y
    assert metrics[DIVERSITY] == 0
    assert RMSE not in metrics
    customers = {
        segment: models["m"]["for-you"]["customers"] for segment, models in by_segment(table).items()
    }
    assert customers == {"new": 1, "unknown": 1}


def test_without_segments_known_customers_have_null_and_count_in_the_summary(shop):
    table = evaluate(bundle_of(shop.until(1)), shop.bought(1, 5), "m")
    assert {row["customer"]: row[SEGMENT] for row in table.to_pylist()} == {"a": None, "c": "unknown"}
    assert summary(table)["m"]["for-you"]["customers"] == 1


def test_segments_count_days_with_purchases_net_of_returns():
    rows = [
        ("new", "x", 1, 1, 0),
        ("new", "y", 1, 1, 0),
        ("returned", "x", 1, 1, 0),
        ("returned", "y", 2, 1, 1),
    ]
    for customer, days in (("two", 2), ("four", 4), ("five", 5)):
        rows += [(customer, "x", day, 1, 0) for day in range(1, days + 1)]
    before = interactions_of(rows).until(9)
    assert dict(zip(before.customers.tolist(), customer_segments(before).tolist(), strict=True)) == {
        b"new": "new",
        b"returned": "new",
        b"two": "occasional",
        b"four": "occasional",
        b"five": "loyal",
    }


@pytest.mark.parametrize("component", [None, "popularity", "als"])
def test_evaluated_lists_equal_served_lists(seed, component):
    shop = random_shop(seed, rows=80)  # so few rows that some customers appear only after the cut
    before = shop.until(30)
    rng = np.random.default_rng(seed)
    factors = als.Factors(
        *(rng.normal(size=(n, 4)).astype(np.float32) for n in (len(before.customers), len(before.products)))
    )
    bundle = bundle_of(before, factors)
    bundle.manifest["lanes"] = dict.fromkeys(LANES, component) if component else LANES
    later = shop.bought(30, 50)
    unknown_customers = interactions_of(
        [("unknown", product.decode(), 40, 1, 0) for product in shop.products]
    )
    for truth in (later, unknown_customers):
        for row in evaluate(bundle, truth, "m").to_pylist():
            served = recommend(bundle, bundle.customer(row["customer"]), row["lane"], 10)
            assert row[TOP] == [item.product for item in served]
            assert (row[RMSE] is None) == (component != "als" or row[SEGMENT] == "unknown")


def test_unknown_customers_get_the_trend_or_popularity():
    rows = [("a", "old", 1, 1, 0), ("b", "old", 1, 1, 0), ("c", "fresh", 60, 1, 0)]
    shop = interactions_of([*rows, ("unknown", "old", 70, 1, 0)])
    fresh, old = 0, 1
    bundle, truth = bundle_of(shop.until(60)), shop.bought(60, 70)
    lists = {
        component: evaluate(bundle, truth, "m", component)[TOP].to_pylist()
        for component in (None, "repurchase", "popularity")
    }
    assert lists == {None: [[fresh, old]], "repurchase": [[fresh, old]], "popularity": [[old, fresh]]}


def test_a_shop_without_categories_has_no_diversity(shop):
    bundle = bundle_of(shop.until(1))
    table = evaluate(replace(bundle, category=np.array([b"", b"", b"things"])), shop.bought(1, 5), "m")
    assert set(table[DIVERSITY].to_pylist()) == {None}


def test_batch_size_does_not_change_measures(seed, monkeypatch):
    shop = random_shop(seed)
    bundle, truth = bundle_of(shop.until(30)), shop.bought(30, 50)
    whole = evaluate(bundle, truth, "m")
    monkeypatch.setattr(per_customer, "CELLS", 3 * len(shop.products))
    assert evaluate(bundle, truth, "m").equals(whole)


def test_memory_is_bounded_by_one_batch_of_scores(seed, monkeypatch):
    shop = random_shop(seed, rows=4000, customers=400, products=500)
    bundle, truth = bundle_of(shop.until(30)), shop.bought(30, 50)
    monkeypatch.setattr(per_customer, "CELLS", 10 * len(shop.products))
    tracemalloc.start()
    table = evaluate(bundle, truth, "m")
    (_, peak), scores = tracemalloc.get_traced_memory(), table.num_rows * len(shop.products) * 4
    tracemalloc.stop()
    assert table.num_rows > 500
    assert peak < scores / 2


def test_a_window_without_purchases_gives_an_empty_table_of_the_same_columns(shop):
    table = evaluate(bundle_of(shop.until(1)), shop.bought(8, 9), "m")
    assert table.num_rows == 0
    assert table.schema == SCHEMA
    assert (summary(table), by_segment(table)) == ({}, {})
    assert set(METRICS) < set(pa.Table.to_pydict(table))


def test_of_too_many_buyers_the_first_by_pseudonym_are_measured(shop, monkeypatch):
    before, truth = shop.until(1), replace(shop, product=np.zeros_like(shop.product)).bought(1, 5)
    everyone = evaluate(bundle_of(before), truth, "popularity", "popularity").to_pylist()
    assert {row["customer"] for row in everyone} == {"a", "b", "c"}
    monkeypatch.setattr(per_customer, "MAX_CUSTOMERS", 1)
    first = evaluate(bundle_of(before), truth, "popularity", "popularity").to_pylist()
    # c is the first unknown customer
    assert first == [row for row in everyone if row["customer"] in ("a", "c")]
