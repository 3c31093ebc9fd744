"""Folding in, computed by hand; tests/train measures it on a shop."""

import dataclasses

import bundles
import numpy as np
import pytest

from serving.bundle.format import Bundle
from serving.recommend.fold_in import fold_in, scores

pytestmark = pytest.mark.fast


@pytest.fixture
def foldable(bundle: Bundle) -> Bundle:
    settings = {"fold_in": {"alpha": 10.0, "penalty": 1.0, "penalty_per_product": 0.0}}
    return dataclasses.replace(bundle, manifest=bundle.manifest | settings)


def test_a_cart_with_one_coffee(foldable: Bundle) -> None:
    """Y'Y is 1 + 0.81 + 0.64 for each taste; coffee-1 is (1, 0) with confidence 1 + 10."""
    factors = fold_in(foldable, np.array([0]))
    np.testing.assert_allclose(factors, [11 / (2.45 + 10 + 1), 0], rtol=1e-6)


def test_uses_strengths_and_the_penalty_per_product(foldable: Bundle) -> None:
    settings = {"fold_in": {"alpha": 10.0, "penalty": 0.0, "penalty_per_product": 0.5}}
    weighted = dataclasses.replace(foldable, manifest=foldable.manifest | settings)
    factors = fold_in(weighted, np.array([0, 4]), np.array([0.5, 2.0]))
    np.testing.assert_allclose(factors, [6 / (2.45 + 5 + 1), 21 / (2.45 + 20 + 1)], rtol=1e-6)


def test_the_gram_matrix_leaves_out_new_products(foldable: Bundle) -> None:
    factors = foldable.item_factors.copy()
    factors[3] = 5
    new = np.arange(7) == 3
    other = dataclasses.replace(foldable, item_factors=factors, new=new)
    np.testing.assert_array_equal(other.gram, foldable.gram)
    assert scores(other, np.array([0]))[3] > 0


def test_products_in_the_cart_or_without_buyers_score_minus_infinity(foldable: Bundle) -> None:
    values = scores(foldable, np.array([0]))
    assert np.flatnonzero(values == -np.inf).tolist() == [
        bundles.PRODUCTS.index(product) for product in ("coffee-1", "new")
    ]
    assert values.argmax() == bundles.PRODUCTS.index("coffee-2")


def test_an_empty_cart_has_zero_factors(foldable: Bundle) -> None:
    assert fold_in(foldable, np.array([], dtype=np.int64)).tolist() == [0, 0]
