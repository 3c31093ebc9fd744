"""Which purchases speak for a product, by arithmetic."""

import bundles
import drawn
import numpy as np
import pytest

from serving.bundle.format import Bundle
from serving.live.identity import pseudonym
from serving.recommend.reasons import reason_kinds, reasons, score_losses


@pytest.fixture
def anna(bundle: Bundle) -> int:
    found = bundle.customer(pseudonym(bundles.ANNA, bundles.KEY))
    assert found is not None
    return found


def test_what_a_score_loses_without_a_purchase_by_hand(bundle: Bundle, anna: int) -> None:
    """Along coffee the products' squares are 1 + 0.81 + 0.64, and the penalty 1: 3.45.

    She has coffee-1 (factor 1, weight 3) and coffee-2 (0.9, weight 1), so her factor is
    (4 * 1 + 2 * 0.9) / (3.45 + 3 * 1 + 1 * 0.81). Each purchase adds to both sums.
    """
    both = (4 * 1 + 2 * 0.9) / (3.45 + 3 + 0.81)
    without = np.array([2 * 0.9 / (3.45 + 0.81), 4 * 1 / (3.45 + 3)])
    weight = bundle.history_weight[bundle.history_rows(anna)]
    found = score_losses(bundle, bundle.bought(anna), weight, np.array([2, 4]))
    np.testing.assert_allclose(found, [0.8 * (both - without), [0, 0]], rtol=1e-5, atol=1e-9)


def test_the_purchase_that_matters_most_comes_first_and_none_that_does_not(bundle: Bundle, anna: int) -> None:
    assert reasons(bundle, anna, np.array([2, 4]), "als") == [("taste", (0, 1)), ("taste", ())]
    assert reasons(bundle, anna, np.array([], dtype=int), "als") == []


def test_kinds_are_those_of_the_reasons(seed: int) -> None:
    rng = np.random.default_rng(seed)
    told = drawn.bundle(rng)
    told.item_factors[:20] = 0  # no purchase speaks for them
    found = set()
    for customer in range(len(told.customers)):
        others = np.setdiff1d(np.arange(len(told.products)), told.bought(customer))
        for component in ("als", "ranker", "trend"):
            expected = [(kind, ()) for kind, _ in reasons(told, customer, others, component)]
            assert reason_kinds(told, customer, others, component) == expected
            found |= {(component, kind) for kind, _ in expected}
    assert {("ranker", "trending"), ("ranker", "taste"), ("ranker", "alike"), ("als", "taste")} <= found
