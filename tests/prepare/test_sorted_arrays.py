"""Distinct values, and the indices of values in sorted arrays."""

import numpy as np
import pytest

from pipelines.prepare.sorted_arrays import distinct, locate

pytestmark = pytest.mark.fast


@pytest.mark.parametrize("count", [0, 1, 2, 500])
def test_distinct_equals_a_sorted_set(seed, count):
    numbers = np.random.default_rng(seed).integers(-50, 50, count)
    assert distinct(numbers).tolist() == sorted(set(numbers.tolist()))


@pytest.mark.parametrize("count", [0, 1, 40])
def test_locate_returns_the_index_of_present_values(seed, count):
    rng = np.random.default_rng(seed)
    ordered, wanted = distinct(rng.integers(0, 60, count)), rng.integers(-5, 65, 200)
    index, is_present = locate(ordered, wanted)
    assert is_present.tolist() == [value in ordered for value in wanted]
    assert ordered[index[is_present]].tolist() == wanted[is_present].tolist()


def test_locate_marks_missing_ids_and_returns_valid_indices():
    index, is_present = locate(np.array([b"a", b"c"]), np.array([b"b", b"c", b"d"]))
    assert (is_present.tolist(), index.max()) == ([False, True, False], 1)
