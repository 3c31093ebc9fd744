from math import log2

import numpy as np
import pytest
from shops import catalogue, known

from pipelines.evaluate import (
    MAP,
    MPR,
    MRR,
    NDCG,
    PRECISION,
    RECALL,
    by_lane,
    evaluate,
    flat,
    rank_metrics,
    summary,
)
from pipelines.sweep import HalfLives
from pipelines.train import als
from pipelines.train.bundle import build
from pipelines.train.rules import none


def measured(values, relevant):
    return {
        name: found[0]
        for name, found in rank_metrics(np.array([values], float), np.array([relevant])).items()
    }


def test_two_hits_at_first_and_third_place_by_hand():
    found = measured([5, 4, 3, 2, 1], [True, False, True, False, False])
    assert found[NDCG] == pytest.approx((1 / log2(2) + 1 / log2(4)) / (1 / log2(2) + 1 / log2(3)))
    assert found[RECALL] == 1.0
    assert found[PRECISION] == 0.2
    assert found[MAP] == pytest.approx((1 / 1 + 2 / 3) / 2)
    assert found[MRR] == 1.0
    assert found[MPR] == pytest.approx((0 / 4 + 2 / 4) / 2)


def test_a_product_behind_the_tenth_place_is_no_hit_but_counts_in_its_rank():
    relevant = [False] * 10 + [True, False]
    found = measured(range(12, 0, -1), relevant)
    assert (found[NDCG], found[RECALL], found[PRECISION], found[MAP]) == (0, 0, 0, 0)
    assert found[MRR] == pytest.approx(1 / 11)
    assert found[MPR] == pytest.approx(10 / 11)


def test_ideal_gain_is_over_at_most_ten_products():
    found = measured(range(20, 0, -1), [True] * 20)
    assert found[NDCG] == pytest.approx(1)
    assert found[RECALL] == 0.5
    assert found[MAP] == pytest.approx(1)


def test_percentile_rank_leaves_out_what_the_lane_excludes():
    assert measured([3, -np.inf, 2, 1], [False, False, True, False])[MPR] == pytest.approx(1 / 2)


def test_equal_scores_rank_by_place():
    assert measured([1, 1, 1], [False, True, False])[MRR] == pytest.approx(1 / 2)


@pytest.fixture
def shop():
    """a and b know x, c is new; y was sold before the cut, z never was."""
    rows = [("a", "x", 1, 1, 0), ("b", "x", 1, 1, 0), ("b", "y", 1, 1, 0)]
    later = [("a", "y", 5, 1, 0), ("a", "x", 5, 1, 0), ("b", "z", 5, 1, 0), ("c", "x", 5, 1, 0)]
    return known(rows + later, ["x", "y", "z"])


def test_judged_are_known_customers_with_purchases_of_products_sold_before(shop):
    before = shop.until(1)
    factors = als.nothing(len(before.customers), 3)
    bundle = build(
        before, catalogue(["x", "y", "z"]), factors, none(3), HalfLives(trend=7, repurchase=7), {"lanes": {}}
    )
    table = evaluate(bundle, shop.bought(1, 5), "popularity", "popularity")
    judged = {(row["lane"], row["customer"]): row for row in table.to_pylist()}
    # b bought only z, which nobody had bought before; c was unknown: neither is judged
    assert set(judged) == {("for-you", "a"), ("buy-again", "a"), ("discover", "a")}
    assert judged["for-you", "a"][RECALL] == 1.0
    assert judged["discover", "a"][NDCG] == 1.0  # y is all that a hasn't bought
    assert summary(table)["popularity"]["for-you"]["customers"] == 1


def test_measures_come_back_from_their_flat_names():
    lanes = {"for-you": {NDCG: 0.5, MRR: 0.25}, "buy-again": {}, "discover": {MAP: 0.1}}
    assert flat(lanes) == {"ndcg_at_10_for_you": 0.5, "mrr_for_you": 0.25, "map_at_10_discover": 0.1}
    assert by_lane(flat(lanes)) == lanes
