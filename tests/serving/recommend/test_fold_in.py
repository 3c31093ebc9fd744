"""Folding in, by arithmetic; what it is worth on a shop is in tests/train."""

import dataclasses

import bundles
import numpy as np
import pytest

from serving.bundle.format import Bundle
from serving.recommend.fold_in import fold_in, scores


@pytest.fixture
def foldable(bundle: Bundle) -> Bundle:
    told = {"fold_in": {"alpha": 10.0, "penalty": 1.0, "penalty_per_product": 0.0}}
    return dataclasses.replace(bundle, manifest=bundle.manifest | told)


def test_a_cart_of_one_coffee_by_hand(foldable: Bundle) -> None:
    """Y'Y is 1 + 0.81 + 0.64 for each taste; coffee-1 is (1, 0) with confidence 1 + 10."""
    found = fold_in(foldable, np.array([0]))
    np.testing.assert_allclose(found, [11 / (2.45 + 10 + 1), 0], rtol=1e-6)


def test_strengths_and_the_penalty_of_each_product_count(foldable: Bundle) -> None:
    told = {"fold_in": {"alpha": 10.0, "penalty": 0.0, "penalty_per_product": 0.5}}
    weighted = dataclasses.replace(foldable, manifest=foldable.manifest | told)
    found = fold_in(weighted, np.array([0, 4]), np.array([0.5, 2.0]))
    np.testing.assert_allclose(found, [6 / (2.45 + 5 + 1), 21 / (2.45 + 20 + 1)], rtol=1e-6)


def test_new_products_factors_are_no_part_of_what_was_learned(foldable: Bundle) -> None:
    factors = foldable.item_factors.copy()
    factors[3] = 5
    new = np.arange(7) == 3
    other = dataclasses.replace(foldable, item_factors=factors, new=new)
    np.testing.assert_array_equal(other.gram, foldable.gram)
    assert scores(other, np.array([0]))[3] > 0


def test_what_is_in_the_cart_or_nobodys_is_no_answer(foldable: Bundle) -> None:
    found = scores(foldable, np.array([0]))
    assert np.flatnonzero(found == -np.inf).tolist() == [
        bundles.PRODUCTS.index(p) for p in ("coffee-1", "new")
    ]
    assert found.argmax() == bundles.PRODUCTS.index("coffee-2")


def test_an_empty_cart_has_no_taste(foldable: Bundle) -> None:
    assert fold_in(foldable, np.array([], dtype=np.int64)).tolist() == [0, 0]
