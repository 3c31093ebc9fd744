"""Reasons: which purchases raise a product's score, computed by hand."""

import bundles
import numpy as np
import pytest
import random_bundles

from serving.bundle.format import Bundle
from serving.live.identity import pseudonym
from serving.recommend.reasons import reason_kinds, reasons, score_losses

pytestmark = pytest.mark.fast


@pytest.fixture
def anna(bundle: Bundle) -> int:
    row = bundle.customer(pseudonym(bundles.ANNA, bundles.KEY))
    assert row is not None
    return row


def test_how_much_a_score_loses_without_a_purchase(bundle: Bundle, anna: int) -> None:
    """In the coffee dimension the squared factors sum to 1 + 0.81 + 0.64, with the penalty 1 to 3.45.

    Anna has coffee-1 (factor 1, weight 3) and coffee-2 (0.9, weight 1), so her factor is
    (4 * 1 + 2 * 0.9) / (3.45 + 3 * 1 + 1 * 0.81). Each purchase adds to both sums.
    """
    both = (4 * 1 + 2 * 0.9) / (3.45 + 3 + 0.81)
    without = np.array([2 * 0.9 / (3.45 + 0.81), 4 * 1 / (3.45 + 3)])
    weight = bundle.history_weight[bundle.history_rows(anna)]
    losses = score_losses(bundle, bundle.bought(anna), weight, np.array([2, 4]))
    np.testing.assert_allclose(losses, [0.8 * (both - without), [0, 0]], rtol=1e-5, atol=1e-9)


def test_names_the_purchases_that_matter_most_and_no_other(bundle: Bundle, anna: int) -> None:
    assert reasons(bundle, anna, np.array([2, 4]), "als") == [("taste", (0, 1)), ("taste", ())]
    assert reasons(bundle, anna, np.array([], dtype=int), "als") == []


def test_reason_kinds_are_the_kinds_of_the_reasons(seed: int) -> None:
    rng = np.random.default_rng(seed)
    bundle = random_bundles.draw(rng)
    bundle.item_factors[:20] = 0  # no purchase raises their scores
    seen = set()
    for customer in range(len(bundle.customers)):
        others = np.setdiff1d(np.arange(len(bundle.products)), bundle.bought(customer))
        for component in ("als", "ranker", "trend"):
            expected = [(kind, ()) for kind, _ in reasons(bundle, customer, others, component)]
            assert reason_kinds(bundle, customer, others, component) == expected
            seen |= {(component, kind) for kind, _ in expected}
    assert {("ranker", "trending"), ("ranker", "taste"), ("ranker", "alike"), ("als", "taste")} <= seen
