"""Means of measures over customers, segments and lanes."""

import pyarrow as pa
import pytest

from pipelines import columns as c
from pipelines.evaluate import (
    CATALOGUE,
    COVERAGE,
    LANE,
    MAP,
    MODEL,
    MRR,
    NDCG,
    NDCG_HEAD,
    NDCG_TAIL,
    NOVELTY,
    RECALL_HEAD,
    RMSE,
    SEGMENT,
    TOP,
    by_lane,
    by_segment,
    flatten,
    summary,
)
from pipelines.evaluate.names import SCHEMA

pytestmark = pytest.mark.fast


def rows(*customers):
    """Returns a table of measures from (customer, segment, measures) rows."""
    constant = {MODEL: "m", LANE: "for-you", CATALOGUE: 8}
    return pa.Table.from_pylist(
        [
            constant | {c.CUSTOMER: customer, SEGMENT: segment} | means
            for customer, segment, means in customers
        ],
        SCHEMA,
    )


MEASURES = rows(
    ("a", "new", {NDCG: 0.5, NDCG_HEAD: 0.2, NOVELTY: 3, TOP: [0, 1]}),
    ("b", "loyal", {NDCG: 0.1, NOVELTY: 5, TOP: [1, 2]}),
    ("c", "unknown", {NDCG: 0.9, NDCG_HEAD: 0.9, NOVELTY: 1, TOP: [5]}),
)


def test_means_are_over_known_customers_with_a_value():
    means = summary(MEASURES)["m"]["for-you"]
    assert means[NDCG] == pytest.approx((0.5 + 0.1) / 2)
    assert means[NDCG_HEAD] == pytest.approx(0.2)
    assert means[NOVELTY] == 4
    assert means[COVERAGE] == 3 / 8
    assert means["customers"] == 2
    assert not {NDCG_TAIL, RMSE} & set(means)


def test_each_segment_has_its_own_means():
    means = {segment: models["m"]["for-you"] for segment, models in by_segment(MEASURES).items()}
    assert {segment: models[NDCG] for segment, models in means.items()} == {
        "new": 0.5,
        "loyal": 0.1,
        "unknown": 0.9,
    }
    assert {segment: models[COVERAGE] for segment, models in means.items()} == {
        "new": 2 / 8,
        "loyal": 2 / 8,
        "unknown": 1 / 8,
    }


def test_coverage_is_measured_per_model_and_lane():
    other = rows(("a", "new", {TOP: [7]})).set_column(0, MODEL, pa.array(["other"]))
    means = summary(pa.concat_tables([MEASURES, other]))
    assert (means["m"]["for-you"][COVERAGE], means["other"]["for-you"][COVERAGE]) == (3 / 8, 1 / 8)


def test_by_lane_is_the_inverse_of_flatten():
    lanes = {"for-you": {NDCG: 0.5, MRR: 0.25}, "buy-again": {}, "discover": {MAP: 0.1}}
    assert flatten(lanes) == {"ndcg_at_10_for_you": 0.5, "mrr_for_you": 0.25, "map_at_10_discover": 0.1}
    assert by_lane(flatten(lanes)) == lanes


def test_flatten_leaves_out_metrics_that_mlflow_does_not_keep():
    assert flatten({"buy-again": {COVERAGE: 0.5, NDCG_HEAD: 0.1, RECALL_HEAD: 0.2}}) == {
        "coverage_buy_again": 0.5,
        "ndcg_at_10_head_buy_again": 0.1,
    }
