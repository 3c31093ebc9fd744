"""Metrics of head and tail, novelty, diversity and weight, by hand."""

from math import log2

import numpy as np
import pytest

from pipelines.evaluate import NDCG_HEAD, NDCG_TAIL, RECALL_HEAD, RECALL_TAIL, WEIGHT
from pipelines.evaluate.ranking import rank
from pipelines.evaluate.traits import Traits, diversity, head, novelty, trait_metrics

pytestmark = pytest.mark.fast


def test_the_head_is_the_smallest_set_with_a_third_of_all_purchases():
    assert head(np.array([1, 4, 2, 1, 4], np.float32)).tolist() == [False, True, False, False, False]
    assert head(np.array([1, 4, 3, 1, 4], np.float32)).tolist() == [False, True, False, False, True]
    assert head(np.array([1, 9, 0], np.float32)).tolist() == [False, True, False]


def test_head_and_tail_are_measured_in_the_same_list():
    values = np.array([[5, 4, 3, 2], [5, 4, 3, 2]], np.float32)
    ranking = rank(values, np.array([0, 0, 1]), np.array([1, 2, 3]))
    is_head, weight = np.array([True, True, False, False]), np.array([1.0, 2, 4, 8])
    traits = Traits(is_head, np.zeros(4), np.zeros(4, np.int64), weight)
    metrics = trait_metrics(ranking, traits)
    assert metrics[NDCG_HEAD].tolist() == pytest.approx([1 / log2(3), np.nan], nan_ok=True)
    assert metrics[NDCG_TAIL].tolist() == pytest.approx([1 / log2(4), 1 / log2(5)])
    assert metrics[RECALL_HEAD].tolist() == pytest.approx([1, np.nan], nan_ok=True)
    assert metrics[RECALL_TAIL].tolist() == [1, 1]
    assert metrics[WEIGHT].tolist() == [15 / 4] * 2


def test_novelty_is_the_mean_self_information():
    bits = -np.log2(np.array([1, 1 / 2, 1 / 8]))
    top = np.array([[0, 1, 2], [2, 1, -1], [0, -1, -1]], np.int32)
    assert novelty(top, bits).tolist() == pytest.approx([(0 + 1 + 3) / 3, (3 + 1) / 2, 0])


def test_diversity_is_the_share_of_pairs_of_different_categories():
    category = np.array([0, 0, 1, -1])  # the last product has none
    top = np.array([[0, 1, 2, -1], [0, 2, 3, -1], [0, 1, -1, -1], [3, 0, -1, -1]], np.int32)
    assert diversity(top, category).tolist() == pytest.approx([2 / 3, 1, 0, np.nan], nan_ok=True)
