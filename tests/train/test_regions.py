"""Trends by region, computed by hand: two countries with twenty buyers each, and a too small region."""

import numpy as np
import pyarrow as pa
import pytest
from shops import catalogue, interactions_of

from pipelines import columns as c
from pipelines.train import als, regions, trend
from pipelines.train.association_rules import no_rules
from pipelines.train.bundle import build, reopen
from pipelines.train.recipe import HalfLives

pytestmark = pytest.mark.fast

TODAY, HALF_LIFE = 100, 10
FRENCH, GREEK = ([f"{country}{n:02}" for n in range(20)] for country in "fg")
SHOP = [
    *((customer_id, "wine", TODAY - HALF_LIFE, 1, 0) for customer_id in FRENCH),
    *((customer_id, "wine", TODAY, 1, 0) for customer_id in FRENCH[:4]),  # again: the last purchase counts
    *((customer_id, "tea", TODAY, 1, 0) for customer_id in FRENCH[:5]),
    *((customer_id, "tea", TODAY - 2 * HALF_LIFE, 1, 0) for customer_id in GREEK),
    ("few", "tea", TODAY, 1, 0),
    ("no region", "wine", TODAY, 1, 0),
]
REGIONS = (
    [("few", "Few")]
    + [(customer_id, "Ελλάδα") for customer_id in GREEK]
    + [(customer_id, "France") for customer_id in reversed(FRENCH)]
)


def table(rows):
    return pa.table(
        {c.CUSTOMER: [customer_id for customer_id, _ in rows], c.GROUP: [region for _, region in rows]}
    )


def trends_by_region(trends):
    """Returns each region's products (as rows of the catalogue) and their trends."""
    ends = zip(trends.names.tolist(), trends.start[:-1], trends.start[1:], strict=True)
    return {
        name.decode(): dict(zip(trends.product[a:b].tolist(), trends.trend[a:b].tolist(), strict=True))
        for name, a, b in ends
    }


def test_the_trend_of_a_region_decays_buyers_like_the_overall_trend():
    shop = interactions_of(SHOP, ["soap", "tea", "wine"])
    trends = regions.trends(shop, table(REGIONS), HALF_LIFE)
    # wine: 4 buyers today, 16 a half-life ago; tea: 5 today; in Greece 20 two half-lives ago
    assert trends_by_region(trends) == {"France": {2: 4 + 16 / 2, 1: 5}, "Ελλάδα": {1: 20 / 4}}
    by_falling_trend = [list(products) for products in trends_by_region(trends).values()]
    assert by_falling_trend == [[2, 1], [1]]
    overall = trend.trend(shop, HALF_LIFE)
    assert overall.tolist() == [0, 5 + 20 / 4 + 1, 4 + 16 / 2 + 1]


def test_leaves_out_a_region_with_few_customers_who_then_have_no_region():
    shop = interactions_of(SHOP)
    customer = regions.trends(shop, table(REGIONS), HALF_LIFE).customer
    assert dict(zip(shop.customers.astype(str), customer, strict=True)) == {
        **dict.fromkeys(FRENCH, 0),
        **dict.fromkeys(GREEK, 1),
        "few": regions.NO_REGION,
        "no region": regions.NO_REGION,
    }
    nineteen = regions.trends(shop, table([*REGIONS[:20], *REGIONS[21:]]), HALF_LIFE)
    assert nineteen.names.tolist() == [b"France"]


def test_ignores_customers_unknown_at_the_cut():
    shop = interactions_of(SHOP).until(TODAY - HALF_LIFE)
    unknown = [(f"later{n}", "Later") for n in range(regions.MIN_CUSTOMERS)]
    trends = regions.trends(shop, table([*REGIONS, *unknown]), HALF_LIFE)
    assert trends.names.tolist() == [b"France", "Ελλάδα".encode()]
    assert len(trends.customer) == len(shop.customers)


def test_keeps_the_largest_regions_and_their_highest_products(monkeypatch):
    monkeypatch.setattr(regions, "MAX_REGIONS", 1)
    monkeypatch.setattr(regions, "MAX_PRODUCTS", 1)
    more = [*SHOP, ("one more", "tea", TODAY, 1, 0)]
    trends = regions.trends(interactions_of(more), table([*REGIONS, ("one more", "Ελλάδα")]), HALF_LIFE)
    assert trends_by_region(trends) == {"Ελλάδα": {0: 20 / 4 + 1}}
    assert set(trends.customer.tolist()) == {0, regions.NO_REGION}


@pytest.mark.parametrize("customer_regions", [regions.NO_REGIONS, table(REGIONS)])
def test_a_bundle_holds_the_regions_and_reads_them_back_from_its_files(customer_regions):
    shop = interactions_of(SHOP)
    factors = als.zero_factors(len(shop.customers), 2)
    lives = HalfLives(trend=HALF_LIFE, repurchase=1)
    built = build(
        shop,
        catalogue(["tea", "wine"]),
        factors,
        no_rules(2),
        lives,
        {"lanes": {}},
        customer_regions=customer_regions,
    )
    bundle = reopen(built)
    expected = regions.trends(shop, customer_regions, HALF_LIFE)
    large = set(customer_regions[c.GROUP].to_pylist()) - {"Few"}
    assert bundle.manifest["counts"]["groups"] == len(expected.names) == len(large)
    for name, array in vars(expected).items():
        if name == "customer":
            continue  # not in the bundle: serving has no use for it
        name_in_bundle = "groups" if name == "names" else f"group_{name}"
        np.testing.assert_array_equal(getattr(bundle, name_in_bundle), array)
        assert getattr(bundle, name_in_bundle).dtype == array.dtype
    assert (bundle.group("France") is None) == (customer_regions is regions.NO_REGIONS)
