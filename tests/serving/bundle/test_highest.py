"""The highest of many values: always what sorting all of them says."""

import numpy as np
import pytest

from serving.bundle import highest
from serving.bundle.highest import InnerProductIndex, SortedScores, top_n


def test_best_breaks_ties_by_place_and_never_answers_minus_infinity() -> None:
    values = np.array([1, 2, 2, -np.inf, 2, 0])
    assert top_n(values, 2).tolist() == [1, 2]
    assert top_n(values, 10).tolist() == [1, 2, 4, 0, 5]
    assert top_n(np.full(3, -np.inf), 2).tolist() == []
    assert top_n(np.array([]), 2).tolist() == []


def test_best_is_what_sorting_says(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(200):
        values = rng.integers(0, 6, rng.integers(1, 30)).astype(float)
        n = int(rng.integers(1, 35))
        assert top_n(values, n).tolist() == sorted(range(len(values)), key=lambda p: (-values[p], p))[:n]


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a few hundred products are looked at in several steps."""
    monkeypatch.setattr(highest, "BLOCK", 8)
    monkeypatch.setattr(highest, "HEAD", 20)


@pytest.mark.usefixtures("small_blocks")
def test_the_first_of_a_standing_are_the_best_of_all_that_are_wanted(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(100):
        values = rng.integers(0, 50, rng.integers(1, 300)).astype(np.float32)
        wanted = rng.random(len(values)) < rng.random()
        n = int(rng.integers(1, 40))
        expected = top_n(np.where(wanted, values, -np.inf), n)
        assert np.array_equal(np.sort(SortedScores.of(values).highest(n, wanted)), np.sort(expected))


@pytest.mark.usefixtures("small_blocks")
def test_the_highest_products_are_the_best_of_all_that_are_wanted(seed: int) -> None:
    rng = np.random.default_rng(seed)
    looked = 0
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
        looked += len(rows) < count
        of_all = factors @ vector * weight
        expected = top_n(of_all if wanted is None else np.where(wanted, of_all, -np.inf), n)
        np.testing.assert_allclose(values, of_all[rows], rtol=1e-5, atol=1e-6)
        order = np.lexsort((rows, -values))[:n]
        np.testing.assert_allclose(of_all[rows[order]], of_all[expected], rtol=1e-5, atol=1e-6)
        assert len(np.unique(rows)) == len(rows)
    assert looked > 50


def test_nobodys_taste_still_finds_as_many() -> None:
    factors = np.ones((5, 2), np.float32)
    rows, values = InnerProductIndex.of(factors, np.ones(5, np.float32)).highest(np.zeros(2, np.float32), 3)
    assert (sorted(rows.tolist()), values.tolist()) == ([0, 1, 2, 3, 4], [0.0] * 5)
