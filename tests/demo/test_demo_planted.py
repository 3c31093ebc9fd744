"""The planted tastes of the demo shop's customers, by pseudonym."""

import datetime as dt

import pytest

from pipelines.demo.dirt import Dirt
from pipelines.demo.planted import tastes
from pipelines.demo.shop import Shop
from serving.live.identity import pseudonym

pytestmark = pytest.mark.fast


def test_returns_each_customers_taste_by_pseudonym() -> None:
    shop, by_pseudonym = Shop(start=dt.date(2026, 9, 1)), tastes("key")
    assert len(by_pseudonym) == shop.customers
    for customer in (0, 17, 4999):
        expected = {shop.catalogue[product].category for product in shop.truth.tastes[customer]}
        departments = by_pseudonym[pseudonym(Dirt(shop).phones[customer], "key")]
        assert {department.partition(" (")[0] for department in departments} == expected
