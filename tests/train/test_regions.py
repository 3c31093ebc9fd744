"""The trend within groups, by arithmetic: two countries of twenty buyers, and what is too small to tell."""

import numpy as np
import pyarrow as pa
import pytest
from shops import catalogue, interactions_of

from pipelines import columns as c
from pipelines.train import als, regions, trend
from pipelines.train.association_rules import no_rules
from pipelines.train.bundle import build, reopen
from pipelines.train.recipe import HalfLives

TODAY, HALF_LIFE = 100, 10
FRENCH, GREEK = ([f"{country}{n:02}" for n in range(20)] for country in "fg")
SHOP = [
    *((who, "wine", TODAY - HALF_LIFE, 1, 0) for who in FRENCH),
    *((who, "wine", TODAY, 1, 0) for who in FRENCH[:4]),  # again: the last purchase counts
    *((who, "tea", TODAY, 1, 0) for who in FRENCH[:5]),
    *((who, "tea", TODAY - 2 * HALF_LIFE, 1, 0) for who in GREEK),
    ("few", "tea", TODAY, 1, 0),
    ("nobody's", "wine", TODAY, 1, 0),
]
OF = [("few", "Few")] + [(who, "Ελλάδα") for who in GREEK] + [(who, "France") for who in reversed(FRENCH)]


def table(rows):
    return pa.table({c.CUSTOMER: [who for who, _ in rows], c.GROUP: [group for _, group in rows]})


def told(found):
    """Each group's products and their trends, as places among the catalogue's."""
    ends = zip(found.names.tolist(), found.start[:-1], found.start[1:], strict=True)
    return {
        name.decode(): dict(zip(found.product[a:b].tolist(), found.trend[a:b].tolist(), strict=True))
        for name, a, b in ends
    }


def test_the_trend_within_a_group_weighs_its_buyers_as_the_overall_trend_does():
    shop = interactions_of(SHOP, ["soap", "tea", "wine"])
    found = regions.trends(shop, table(OF), HALF_LIFE)
    # wine: 4 of today, 16 of a half-life ago; tea: 5 of today; in Greece 20 of two half-lives ago
    assert told(found) == {"France": {2: 4 + 16 / 2, 1: 5}, "Ελλάδα": {1: 20 / 4}}
    assert [list(products) for products in told(found).values()] == [[2, 1], [1]]  # by falling trend
    overall = trend.trend(shop, HALF_LIFE)
    assert overall.tolist() == [0, 5 + 20 / 4 + 1, 4 + 16 / 2 + 1]


def test_a_group_of_few_is_not_told_of_and_its_customers_are_in_none():
    shop = interactions_of(SHOP)
    customer = regions.trends(shop, table(OF), HALF_LIFE).customer
    assert dict(zip(shop.customers.astype(str), customer, strict=True)) == {
        **dict.fromkeys(FRENCH, 0),
        **dict.fromkeys(GREEK, 1),
        "few": regions.NO_REGION,
        "nobody's": regions.NO_REGION,
    }
    nineteen = regions.trends(shop, table([*OF[:20], *OF[21:]]), HALF_LIFE)
    assert nineteen.names.tolist() == [b"France"]


def test_customers_that_are_not_known_at_the_cut_count_for_nothing():
    shop = interactions_of(SHOP).until(TODAY - HALF_LIFE)
    unknown = [(f"later{n}", "Later") for n in range(regions.MIN_CUSTOMERS)]
    found = regions.trends(shop, table([*OF, *unknown]), HALF_LIFE)
    assert found.names.tolist() == [b"France", "Ελλάδα".encode()]
    assert len(found.customer) == len(shop.customers)


def test_the_largest_groups_and_their_first_products_are_kept(monkeypatch):
    monkeypatch.setattr(regions, "MAX_REGIONS", 1)
    monkeypatch.setattr(regions, "MAX_PRODUCTS", 1)
    more = [*SHOP, ("one more", "tea", TODAY, 1, 0)]
    found = regions.trends(interactions_of(more), table([*OF, ("one more", "Ελλάδα")]), HALF_LIFE)
    assert told(found) == {"Ελλάδα": {0: 20 / 4 + 1}}
    assert set(found.customer.tolist()) == {0, regions.NO_REGION}


@pytest.mark.parametrize("grouped", [regions.NO_REGIONS, table(OF)])
def test_a_bundle_holds_the_groups_and_comes_back_from_its_files(grouped):
    shop = interactions_of(SHOP)
    factors = als.zero_factors(len(shop.customers), 2)
    lives = HalfLives(trend=HALF_LIFE, repurchase=1)
    made = build(
        shop, catalogue(["tea", "wine"]), factors, no_rules(2), lives, {"lanes": {}}, customer_regions=grouped
    )
    bundle = reopen(made)
    expected = regions.trends(shop, grouped, HALF_LIFE)
    large = set(grouped[c.GROUP].to_pylist()) - {"Few"}
    assert bundle.manifest["counts"]["groups"] == len(expected.names) == len(large)
    for name, found in vars(expected).items():
        if name == "customer":
            continue  # who is in which group serves nobody, so that it isn't in a bundle
        own = "groups" if name == "names" else f"group_{name}"
        np.testing.assert_array_equal(getattr(bundle, own), found)
        assert getattr(bundle, own).dtype == found.dtype
    assert (bundle.group("France") is None) == (grouped is regions.NO_REGIONS)
