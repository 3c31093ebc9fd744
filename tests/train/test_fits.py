"""Fits are computed once for the same interactions, settings and code, and never mixed up."""

import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from shops import catalogue, random_shop

from pipelines.train import als, fits
from pipelines.train.als import AlsSettings
from pipelines.train.association_rules import no_rules
from pipelines.train.bundle import fit_bundle
from pipelines.train.ranker import RankerSettings
from pipelines.train.recipe import HalfLives, ModelSettings
from serving.bundle.format import ARRAYS

CHOSEN = ModelSettings(
    als=AlsSettings(rank=4, alpha=5.0, half_life_days=20.0, iterations=3),
    ranker=RankerSettings(windows=2, window_days=7, trees=5),
    half_lives=HalfLives(trend=7.0, repurchase=30.0),
    lanes={"for-you": "ranker", "buy-again": "repurchase", "discover": "als"},
)


@pytest.fixture
def shop(home):
    return replace(random_shop(3, days=60), digest="tables of a night")


@pytest.fixture
def fitted_factors(monkeypatch):
    """The settings of each call that fits factors."""
    calls, fit = [], als.fit
    monkeypatch.setattr(als, "fit", lambda *given: calls.append(given[1]) or fit(*given))
    return calls


def bundle(known, chosen=CHOSEN):
    names = [product.decode() for product in known.products]
    return fit_bundle(known, catalogue(names), chosen, no_rules(len(names)), "implicit")


def different(one, other):
    return [name for name in ARRAYS if not np.array_equal(getattr(one, name), getattr(other, name))]


def test_a_bundle_of_kept_fits_equals_one_that_keeps_nothing(shop, fitted_factors):
    first, again = bundle(shop.until(55)), bundle(shop.until(55))
    assert len(fitted_factors) == 3  # at the cut, and before each of two windows
    plain = bundle(replace(shop, digest="").until(55))
    assert len(fitted_factors) == 6
    assert different(first, again) == different(first, plain) == []


def test_windows_are_shared_with_a_later_cut(shop, fitted_factors):
    bundle(shop.until(55 - CHOSEN.ranker.window_days))
    del fitted_factors[:]
    bundle(shop.until(55))
    assert len(fitted_factors) == 1


@pytest.mark.parametrize(
    "other",
    [{"rank": 5}, {"alpha": 6.0}, {"half_life_days": 9.0}, {"iterations": 2}],
)
def test_other_settings_are_another_fit(shop, other):
    chosen = CHOSEN.model_copy(update={"als": CHOSEN.als.model_copy(update=other)})
    assert different(bundle(shop.until(55)), bundle(shop.until(55), chosen))


def test_other_interactions_are_another_fit(shop):
    later = replace(random_shop(4, days=60), digest="tables of the next night")
    assert different(bundle(shop.until(55)), bundle(later.until(55)))


def test_what_several_ask_for_at_once_is_computed_once(home):
    """A sweep's tasks run side by side; a lock of one thread keeps other threads out as it does processes."""
    computed = []

    def compute():
        computed.append(1)
        time.sleep(0.3)
        return {"number": np.array(7)}

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: fits.kept("tables", "slow", {}, compute)["number"], range(4)))
    assert results == [7] * 4
    assert len(computed) == 1


def test_a_truncated_file_is_computed_anew(shop, home):
    first = bundle(shop.until(55))
    for file in (home / ".nightshelf" / "fits").rglob("*.npz"):
        file.write_bytes(file.read_bytes()[:100])
    assert different(first, bundle(shop.until(55))) == []


def test_a_folder_that_cannot_be_written_costs_only_time(shop, home):
    first = bundle(shop.until(55))
    shutil.rmtree(home / ".nightshelf" / "fits")
    (home / ".nightshelf" / "fits").write_text("no folder")
    assert different(first, bundle(shop.until(55))) == []


def test_fits_of_older_nights_are_removed(shop, home):
    for night in range(4):
        bundle(replace(shop, digest=f"night {night}").until(55))
    assert len([*(home / ".nightshelf" / "fits").iterdir()]) <= fits.KEPT + 1
