"""Every customer has a region, and regions have different tastes."""

import datetime as dt
from itertools import islice

import numpy as np

from pipelines.demo.catalogue import STYLES
from pipelines.demo.dirt import Dirt
from pipelines.demo.regions import LOCAL, REGIONS, home_of, regions
from pipelines.demo.shop import Shop
from pipelines.demo.truth import TASTE
from serving.live.identity import canonical

SHOP = Shop(start=dt.date(2026, 9, 22), seed=7)


def test_half_of_the_customers_are_in_the_region_of_their_first_favourite() -> None:
    indices = np.array([REGIONS.index(region) for region in regions(SHOP.truth, SHOP.seed)])
    at_home = LOCAL + (1 - LOCAL) / len(REGIONS)  # a random region may be the same one
    bound = 4.5 * np.sqrt(at_home * (1 - at_home) / len(indices))
    assert abs((indices == home_of(SHOP.truth)).mean() - at_home) < bound
    assert (np.bincount(indices) > 0.1 * len(indices)).all()


def test_a_customer_always_orders_from_the_same_region() -> None:
    dirt = Dirt(SHOP)
    region_of = dict(zip(dirt.phones, dirt.regions, strict=True))
    orders = [order for day in islice(SHOP.days(), 3) for order in dirt.listing(day).orders]
    known = [
        (phone, order["region"])
        for order in orders
        if (phone := canonical(order["clientTel"] or "")) in region_of
    ]
    assert len(known) > 0.98 * len(orders)
    assert all(region_of[phone] == region for phone, region in known)


def test_a_region_buys_more_of_its_own_products() -> None:
    dirt = Dirt(SHOP)
    home = np.array([REGIONS[index] for index in SHOP.truth.cluster // STYLES % len(REGIONS)])
    days = list(islice(SHOP.days(), 10))
    bought = np.concatenate([home[day.products] for day in days])
    buyers = np.concatenate([np.array(dirt.regions)[day.customers[day.order]] for day in days])
    for region in REGIONS:
        here, elsewhere = (
            (bought == region)[buyers == region].mean(),
            (bought == region)[buyers != region].mean(),
        )
        # at least half the share of lines from the first of two or three favourites, of the local customers
        assert here - elsewhere > LOCAL * TASTE / 3 / 2, region
