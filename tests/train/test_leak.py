"""Nothing in a bundle depends on purchases after its cut."""

from dataclasses import replace

import numpy as np
import pytest
from shops import catalogue, random_shop

from pipelines.train.als import AlsSettings
from pipelines.train.association_rules import no_rules
from pipelines.train.bundle import fit_bundle
from pipelines.train.ranker import RankerSettings
from pipelines.train.recipe import HalfLives, ModelSettings
from serving.bundle.format import ARRAYS

CUT = 35  # of 50 days
CHOSEN = ModelSettings(
    als=AlsSettings(
        rank=4, regularisation=1.0, alpha=5.0, half_life_days=20.0, iterations=3, trend_power=0.5
    ),
    ranker=RankerSettings(windows=2, trees=5, unbought=1.0),
    half_lives=HalfLives(trend=7.0, repurchase=30.0),
    lanes={"for-you": "ranker", "buy-again": "repurchase", "discover": "als"},
)


def fitted(known):
    products = [product.decode() for product in known.products]
    return fit_bundle(known.until(CUT), catalogue(products), CHOSEN, no_rules(len(products)), "implicit")


def shuffled_after(known, rng):
    """Returns the interactions with all columns shuffled independently after the cut."""
    later = np.flatnonzero(known.day > CUT)
    changed = {}
    for name in ("customer", "product", "day", "quantity", "returned", "orders"):
        values = getattr(known, name).copy()
        values[later] = rng.permutation(values[later])
        changed[name] = values
    return replace(known, **changed)


@pytest.mark.parametrize("again", range(5))
def test_purchases_after_the_cut_change_nothing_in_the_bundle(seed, again):
    known, rng = random_shop((seed, again)), np.random.default_rng((seed, again))
    other = shuffled_after(known, rng)
    assert any(
        (getattr(known, name) != getattr(other, name)).any() for name in ("customer", "product", "day")
    )
    bundle, other_bundle = fitted(known), fitted(other)
    assert len(bundle.ranker)
    assert [
        name for name in ARRAYS if not np.array_equal(getattr(bundle, name), getattr(other_bundle, name))
    ] == []
    assert bundle.manifest == other_bundle.manifest
