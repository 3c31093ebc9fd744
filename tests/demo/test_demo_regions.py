"""Every customer has a home, regions have tastes, and no order is another one for it."""

import datetime as dt
from itertools import islice

import numpy as np

from pipelines.demo.catalogue import STYLES
from pipelines.demo.dirt import Dirt
from pipelines.demo.regions import LOCAL, REGIONS, home_of, regions
from pipelines.demo.shop import Shop
from pipelines.demo.truth import TASTE
from serving.live.identity import normalise

SHOP = Shop(start=dt.date(2026, 9, 22), seed=7)


def test_half_of_the_customers_live_where_their_first_favourite_is_at_home() -> None:
    found = np.array([REGIONS.index(region) for region in regions(SHOP.truth, SHOP.seed)])
    at_home = LOCAL + (1 - LOCAL) / len(REGIONS)  # who lives anywhere may live there too
    bound = 4.5 * np.sqrt(at_home * (1 - at_home) / len(found))
    assert abs((found == home_of(SHOP.truth)).mean() - at_home) < bound
    assert (np.bincount(found) > 0.1 * len(found)).all()


def test_a_customer_orders_from_one_region_for_ever() -> None:
    dirt = Dirt(SHOP)
    of = dict(zip(dirt.phones, dirt.regions, strict=True))
    orders = [order for day in islice(SHOP.days(), 3) for order in dirt.listing(day).orders]
    known = [
        (phone, order["region"]) for order in orders if (phone := normalise(order["clientTel"] or "")) in of
    ]
    assert len(known) > 0.98 * len(orders)
    assert all(of[phone] == region for phone, region in known)


def test_a_region_buys_more_of_what_is_at_home_there() -> None:
    dirt = Dirt(SHOP)
    home = np.array([REGIONS[place] for place in SHOP.truth.cluster // STYLES % len(REGIONS)])
    days = list(islice(SHOP.days(), 10))
    bought = np.concatenate([home[day.products] for day in days])
    lives = np.concatenate([np.array(dirt.regions)[day.customers[day.order]] for day in days])
    for region in REGIONS:
        here, elsewhere = (
            (bought == region)[lives == region].mean(),
            (bought == region)[lives != region].mean(),
        )
        # the share of lines that come from the first of two or three favourites, of those that live at home
        assert here - elsewhere > LOCAL * TASTE / 3 / 2, region
