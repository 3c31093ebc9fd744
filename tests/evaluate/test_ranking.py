"""Ranking metrics: by hand, against a full sort, and against trec_eval."""

from math import log2, sqrt

import numpy as np
import pytest
import pytrec_eval
from sklearn.metrics import ndcg_score

from pipelines.evaluate import MAP, METRICS, MPR, MRR, NDCG, PRECISION, RECALL
from pipelines.evaluate.ranking import gain_and_recall, rank, rank_metrics, rmse

pytestmark = pytest.mark.fast

TREC = {
    NDCG: "ndcg_cut_10",
    RECALL: "recall_10",
    PRECISION: "P_10",
    MAP: "map_cut_10",
    MRR: "recip_rank",
}


def ranked(values, relevant):
    return rank(np.array(values, np.float32), *np.nonzero(np.array(relevant)))


def measured(values, relevant):
    return {name: metrics[0] for name, metrics in rank_metrics(ranked([values], [relevant])).items()}


def test_metrics_of_hits_at_ranks_one_and_three_by_hand():
    metrics = measured([5, 4, 3, 2, 1], [True, False, True, False, False])
    assert metrics[NDCG] == pytest.approx((1 / log2(2) + 1 / log2(4)) / (1 / log2(2) + 1 / log2(3)))
    assert metrics[RECALL] == 1.0
    assert metrics[PRECISION] == 0.2
    assert metrics[MAP] == pytest.approx((1 / 1 + 2 / 3) / 2)
    assert metrics[MRR] == 1.0
    assert metrics[MPR] == pytest.approx((0 / 4 + 2 / 4) / 2)


def test_a_product_after_rank_ten_is_no_hit_but_counts_in_mrr_and_percentile_rank():
    relevant = [False] * 10 + [True, False]
    metrics = measured(range(12, 0, -1), relevant)
    assert (metrics[NDCG], metrics[RECALL], metrics[PRECISION], metrics[MAP]) == (0, 0, 0, 0)
    assert metrics[MRR] == pytest.approx(1 / 11)
    assert metrics[MPR] == pytest.approx(10 / 11)


def test_ideal_gain_has_at_most_ten_products():
    metrics = measured(range(20, 0, -1), [True] * 20)
    assert metrics[NDCG] == pytest.approx(1)
    assert metrics[RECALL] == 0.5
    assert metrics[MAP] == pytest.approx(1)


@pytest.mark.parametrize("share", [0, 0.5, 0.999, 1])
def test_lists_and_ranks_of_a_large_catalogue_equal_a_full_sort(seed, share):
    """share: the share of products that the lane excludes."""
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 400, (20, 3001)).astype(np.float32)  # with many ties
    values[rng.random(values.shape) < share] = -np.inf
    relevant = (rng.random(values.shape) < 0.01) & (values > -np.inf)
    metrics = ranked(values, relevant)
    order = np.argsort(-values, axis=1, kind="stable")
    position = np.argsort(order, axis=1)
    assert metrics.rank.tolist() == position[relevant].tolist()
    for row, excluded, top in zip(order, values == -np.inf, metrics.top, strict=True):
        assert top[top >= 0].tolist() == row[~excluded[row]][:10].tolist()


def test_percentile_rank_ignores_products_that_the_lane_excludes():
    assert measured([3, -np.inf, 2, 1], [False, False, True, False])[MPR] == pytest.approx(1 / 2)


def test_equal_scores_rank_by_product_row():
    assert measured([1, 1, 1], [False, True, False])[MRR] == pytest.approx(1 / 2)
    assert measured([0, 1, 1], [False, False, True])[MRR] == pytest.approx(1 / 2)


def test_the_only_product_of_a_lane_ranks_first():
    assert measured([-np.inf, 1], [False, True]) == {
        NDCG: 1,
        RECALL: 1,
        PRECISION: 0.1,
        MAP: 1,
        MRR: 1,
        MPR: 0,
    }


def test_ranks_and_lists_with_ties_equal_a_stable_sort(seed):
    rng = np.random.default_rng(seed)
    values = rng.choice(np.array([-2.5, -1e-30, -0.0, 0.0, 1e-40, 0.5, 3e30], np.float32), (40, 70))
    values[rng.random(values.shape) < 0.2] = -np.inf
    values[0] = -np.inf
    values[1, 7:] = -np.inf
    relevant = (rng.random(values.shape) < 0.2) & (values > -np.inf)
    metrics = rank(values, *np.nonzero(relevant))
    order = np.argsort(-values, axis=1, kind="stable")
    expected = [
        order[row].tolist().index(product) for row, product in zip(*np.nonzero(relevant), strict=True)
    ]
    assert metrics.rank.tolist() == expected
    for row, top in enumerate(metrics.top.tolist()):
        answered = [product for product in order[row].tolist() if values[row, product] > -np.inf]
        assert top == (answered[:10] + [-1] * 10)[:10]
        assert metrics.allowed[row] == len(answered)


def test_lists_are_shorter_with_fewer_than_ten_products():
    assert ranked([[1, 3, 2]], [[True, False, False]]).top.tolist() == [[1, 2, 0]]


def test_metrics_equal_those_of_trec_eval(seed):
    """Without ties, which trec_eval breaks by id; it divides MAP by all true products, so at most ten."""
    values, relevant = untied(seed)
    metrics = rank_metrics(ranked(values, relevant))
    truth, scored = {}, {}
    for row, (scores, true) in enumerate(zip(values, relevant, strict=True)):
        truth[str(row)] = {f"p{position}": 1 for position in np.flatnonzero(true)}
        scored[str(row)] = {f"p{p}": float(scores[p]) for p in np.flatnonzero(scores > -np.inf)}
    by_customer = pytrec_eval.RelevanceEvaluator(truth, set(TREC.values())).evaluate(scored)
    for ours, theirs in TREC.items():
        expected = [by_customer[str(row)][theirs] for row in range(len(values))]
        np.testing.assert_allclose(metrics[ours], expected, rtol=1e-6, err_msg=ours)


def test_scikit_learn_measures_the_same_gain(seed):
    values, relevant = untied(seed)
    metrics = rank_metrics(ranked(values, relevant))[NDCG]
    expected = [
        ndcg_score([true], [np.where(scores > -np.inf, scores, -1)], k=10)
        for scores, true in zip(values, relevant, strict=True)
    ]
    np.testing.assert_allclose(metrics, expected)


def untied(seed, customers=200, products=60):
    """Returns scores without ties, a tenth excluded, and one to ten true products per customer."""
    rng = np.random.default_rng(seed)
    values = rng.permuted(np.tile(np.arange(products, dtype=np.float32), (customers, 1)), axis=1)
    values[rng.random(values.shape) < 0.1] = -np.inf
    relevant = np.zeros(values.shape, dtype=bool)
    for row, scores in enumerate(values):
        allowed = np.flatnonzero(scores > -np.inf)
        relevant[row, rng.choice(allowed, rng.integers(1, 11), replace=False)] = True
    return values, relevant


def test_part_of_the_truth_is_measured_in_the_same_ranking():
    ranking = ranked([[4, 3, 2, 1], [4, 3, 2, 1]], [[True, True, False, True], [False, False, True, False]])
    # only the second of the first customer's three true products counts, and no product of the other customer
    ndcg, recall = gain_and_recall(ranking, np.array([False, True, False, False]))
    assert ndcg[0] == pytest.approx((1 / log2(3)) / (1 / log2(2)))
    assert recall[0] == 1
    assert np.isnan([ndcg[1], recall[1]]).all()


def test_rmse_ignores_products_that_the_lane_excludes():
    values = np.array([[0.9, 0.2, -np.inf, -0.1]], np.float32)
    metrics = rmse(values, rank(values, np.array([0]), np.array([0])))
    assert metrics.tolist() == pytest.approx([sqrt(((0.9 - 1) ** 2 + 0.2**2 + 0.1**2) / 3)])


def test_every_metric_has_a_value_for_every_customer(seed):
    values, relevant = untied(seed)
    metrics = rank_metrics(ranked(values, relevant))
    assert tuple(metrics) == METRICS
    for name, by_customer in metrics.items():
        assert len(by_customer) == len(values), name
        assert ((by_customer >= 0) & (by_customer <= 1)).all(), name
