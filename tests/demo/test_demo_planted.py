"""The planted tastes, by the pseudonyms that a night knows the demo shop's customers by."""

import datetime as dt

from pipelines.demo.dirt import Dirt
from pipelines.demo.planted import tastes
from pipelines.demo.shop import Shop
from serving.live.identity import pseudonym


def test_a_customers_taste_is_found_by_the_pseudonym() -> None:
    shop, found = Shop(start=dt.date(2026, 9, 1)), tastes("key")
    assert len(found) == shop.customers
    for customer in (0, 17, 4999):
        wanted = {
            category.category for category in (shop.catalogue[one] for one in shop.truth.tastes[customer])
        }
        told = found[pseudonym(Dirt(shop).phones[customer], "key")]
        assert {one.partition(" (")[0] for one in told} == wanted
