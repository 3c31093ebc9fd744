"""The demo shop's catalogue: distinct products, brands, clusters and prices."""

from collections import defaultdict

import pytest

from pipelines.demo.catalogue import CLUSTERS, SIZE_PRICE, STYLES, catalogue
from pipelines.demo.words import BRANDS, CATEGORIES

pytestmark = pytest.mark.fast

SEED = 7


@pytest.mark.parametrize("count", [200, 1000, 1700, 20_000])
def test_has_the_requested_number_of_distinct_products(count: int) -> None:
    products = catalogue(count, SEED)
    assert len(products) == count
    assert len({product.id for product in products}) == len({product.name for product in products}) == count


def test_the_seed_determines_the_products() -> None:
    assert catalogue(300, SEED) == catalogue(300, SEED) != catalogue(300, SEED + 1)


def test_every_brand_is_in_one_to_three_categories() -> None:
    categories = defaultdict(set)
    for product in catalogue(1700, SEED):
        categories[product.brand].add(product.category)
    assert set(categories) == set(BRANDS)
    assert {len(names) for names in categories.values()} == {1, 2, 3}


def test_clusters_are_contiguous_evenly_sized_and_in_their_category() -> None:
    clusters = [product.cluster for product in catalogue(1000, SEED)]
    assert clusters == sorted(clusters)
    assert {clusters.count(cluster) for cluster in range(CLUSTERS)} == {20, 21}
    assert all(p.category == CATEGORIES[p.cluster // STYLES].name for p in catalogue(1000, SEED))


def test_prices_are_within_the_bounds_of_their_category() -> None:
    bounds = {c.name: (c.prices[0] - 6, c.prices[1] * SIZE_PRICE[-1] + 5) for c in CATEGORIES}
    for product in catalogue(1000, SEED):
        low, high = bounds[product.category]
        assert low <= product.price <= high, product


def test_companions_are_categories() -> None:
    names = {category.name for category in CATEGORIES}
    assert {category.companion for category in CATEGORIES} <= names
    assert all(category.companion != category.name for category in CATEGORIES)
