"""Searches for the highest values give the same result as sorting all values."""

import numpy as np
import pytest

from serving.bundle import highest
from serving.bundle.highest import InnerProductIndex, SortedScores, top_n

pytestmark = pytest.mark.fast


def test_top_n_orders_ties_by_index_and_never_returns_minus_infinity() -> None:
    values = np.array([1, 2, 2, -np.inf, 2, 0])
    assert top_n(values, 2).tolist() == [1, 2]
    assert top_n(values, 10).tolist() == [1, 2, 4, 0, 5]
    assert top_n(np.full(3, -np.inf), 2).tolist() == []
    assert top_n(np.array([]), 2).tolist() == []


def test_top_n_agrees_with_sorting(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(200):
        values = rng.integers(0, 6, rng.integers(1, 30)).astype(float)
        n = int(rng.integers(1, 35))
        assert top_n(values, n).tolist() == sorted(range(len(values)), key=lambda p: (-values[p], p))[:n]


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shrinks the steps of a search, so that a few hundred products take several."""
    monkeypatch.setattr(highest, "BLOCK", 8)
    monkeypatch.setattr(highest, "HEAD", 20)


@pytest.mark.usefixtures("small_blocks")
def test_sorted_scores_return_the_highest_wanted_values(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(100):
        values = rng.integers(0, 50, rng.integers(1, 300)).astype(np.float32)
        wanted = rng.random(len(values)) < rng.random()
        n = int(rng.integers(1, 40))
        expected = top_n(np.where(wanted, values, -np.inf), n)
        assert np.array_equal(np.sort(SortedScores.of(values).highest(n, wanted)), np.sort(expected))


@pytest.mark.usefixtures("small_blocks")
def test_the_index_returns_the_highest_wanted_products(seed: int) -> None:
    rng = np.random.default_rng(seed)
    incomplete = 0  # searches that skip some products
    for _ in range(100):
        count = int(rng.integers(1, 400))
        factors = rng.normal(size=(count, 4)).astype(np.float32) * rng.pareto(1, (count, 1)).astype(
            np.float32
        )
        weight = rng.random(count).astype(np.float32)
        vector = rng.normal(size=4).astype(np.float32)
        wanted = rng.random(count) < rng.random() if rng.random() < 0.5 else None
        n = int(rng.integers(1, 10))
        rows, values = InnerProductIndex.of(factors, weight).highest(vector, n, wanted)
        incomplete += len(rows) < count
        products = factors @ vector * weight
        expected = top_n(products if wanted is None else np.where(wanted, products, -np.inf), n)
        # Rounding errors are relative to the lengths of the vectors, not to products that nearly cancel out.
        error = 1e-5 * np.linalg.norm(factors, axis=1) * np.linalg.norm(vector) * weight + 1e-30
        assert (np.abs(values - products[rows]) <= error[rows]).all()
        order = rows[np.lexsort((rows, -values))[:n]]
        assert (np.abs(products[order] - products[expected]) <= error[order] + error[expected]).all()
        assert len(np.unique(rows)) == len(rows)
    assert incomplete > 50


def test_a_zero_vector_finds_n_products() -> None:
    factors = np.ones((5, 2), np.float32)
    rows, values = InnerProductIndex.of(factors, np.ones(5, np.float32)).highest(np.zeros(2, np.float32), 3)
    assert (sorted(rows.tolist()), values.tolist()) == ([0, 1, 2, 3, 4], [0.0] * 5)
