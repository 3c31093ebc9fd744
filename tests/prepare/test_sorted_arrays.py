import numpy as np
import pytest

from pipelines.prepare.sorted_arrays import distinct, locate


@pytest.mark.parametrize("count", [0, 1, 2, 500])
def test_distinct_numbers_are_those_of_a_set(seed, count):
    numbers = np.random.default_rng(seed).integers(-50, 50, count)
    assert distinct(numbers).tolist() == sorted(set(numbers.tolist()))


@pytest.mark.parametrize("count", [0, 1, 40])
def test_values_are_placed_where_they_stand(seed, count):
    rng = np.random.default_rng(seed)
    ascending, wanted = distinct(rng.integers(0, 60, count)), rng.integers(-5, 65, 200)
    at, is_there = locate(ascending, wanted)
    assert is_there.tolist() == [one in ascending for one in wanted]
    assert ascending[at[is_there]].tolist() == wanted[is_there].tolist()


def test_ids_that_are_nowhere_are_placed_nowhere():
    at, is_there = locate(np.array([b"a", b"c"]), np.array([b"b", b"c", b"d"]))
    assert (is_there.tolist(), at.max()) == ([False, True, False], 1)
