"""Popularity, trend and purchase history, by hand."""

import numpy as np
import pytest
from shops import interactions_of

from pipelines.train import repurchase, trend

pytestmark = pytest.mark.fast

SHOP = [
    ("a", "x", 0, 1, 0),
    ("a", "x", 10, 1, 0),
    ("b", "x", 0, 1, 0),
    ("b", "y", 10, 1, 0),
    ("c", "y", 5, 1, 0),
]


def test_popularity_counts_each_buyer_once():
    assert trend.popularity(interactions_of(SHOP, ["x", "y", "z"])).tolist() == [2, 2, 0]


def test_trend_decays_each_buyer_by_the_last_purchase():
    # x: a today 1, b ten days ago 1/2; y: b today 1, c five days ago 2**-0.5
    assert trend.trend(interactions_of(SHOP), 10).tolist() == pytest.approx([1.5, 1 + 2**-0.5])


def test_recent_counts_buyers_in_each_window():
    recent = trend.recent(interactions_of(SHOP), as_of=10).tolist()
    assert dict(zip(trend.RECENT_DAYS, recent, strict=True)) == {7: [1, 2], 28: [2, 2], 90: [2, 2]}


def test_history_sums_orders_decayed_by_age():
    history = repurchase.history(interactions_of(SHOP), 10)
    assert history.start.tolist() == [0, 1, 3, 4]
    assert history.product.tolist() == [0, 0, 1, 1]
    assert history.orders.tolist() == [2, 1, 1, 1]
    assert history.last.tolist() == [10, 0, 10, 5]
    np.testing.assert_allclose(history.strength, [1.5, 0.5, 1, 2**-0.5], rtol=1e-6)
