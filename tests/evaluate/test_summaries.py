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


def rows(*some):
    """A table of judged customers, each given as (customer, group, measures)."""
    constant = {MODEL: "m", LANE: "for-you", CATALOGUE: 8}
    return pa.Table.from_pylist(
        [constant | {c.CUSTOMER: customer, SEGMENT: group} | found for customer, group, found in some], SCHEMA
    )


JUDGED = rows(
    ("a", "new", {NDCG: 0.5, NDCG_HEAD: 0.2, NOVELTY: 3, TOP: [0, 1]}),
    ("b", "loyal", {NDCG: 0.1, NOVELTY: 5, TOP: [1, 2]}),
    ("c", "unknown", {NDCG: 0.9, NDCG_HEAD: 0.9, NOVELTY: 1, TOP: [5]}),
)


def test_means_are_over_the_known_and_over_those_who_have_the_metric():
    found = summary(JUDGED)["m"]["for-you"]
    assert found[NDCG] == pytest.approx((0.5 + 0.1) / 2)
    assert found[NDCG_HEAD] == pytest.approx(0.2)
    assert found[NOVELTY] == 4
    assert found[COVERAGE] == 3 / 8
    assert found["customers"] == 2
    assert not {NDCG_TAIL, RMSE} & set(found)


def test_groups_are_apart():
    found = {group: one["m"]["for-you"] for group, one in by_segment(JUDGED).items()}
    assert {group: one[NDCG] for group, one in found.items()} == {"new": 0.5, "loyal": 0.1, "unknown": 0.9}
    assert {group: one[COVERAGE] for group, one in found.items()} == {
        "new": 2 / 8,
        "loyal": 2 / 8,
        "unknown": 1 / 8,
    }


def test_coverage_is_of_each_model_and_lane():
    other = rows(("a", "new", {TOP: [7]})).set_column(0, MODEL, pa.array(["other"]))
    found = summary(pa.concat_tables([JUDGED, other]))
    assert (found["m"]["for-you"][COVERAGE], found["other"]["for-you"][COVERAGE]) == (3 / 8, 1 / 8)


def test_measures_come_back_from_their_flat_names():
    lanes = {"for-you": {NDCG: 0.5, MRR: 0.25}, "buy-again": {}, "discover": {MAP: 0.1}}
    assert flatten(lanes) == {"ndcg_at_10_for_you": 0.5, "mrr_for_you": 0.25, "map_at_10_discover": 0.1}
    assert by_lane(flatten(lanes)) == lanes


def test_what_mlflow_keeps_is_a_part_of_what_is_measured():
    assert flatten({"buy-again": {COVERAGE: 0.5, NDCG_HEAD: 0.1, RECALL_HEAD: 0.2}}) == {
        "coverage_buy_again": 0.5,
        "ndcg_at_10_head_buy_again": 0.1,
    }
