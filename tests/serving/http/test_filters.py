"""Filters are applied before the first n items are selected, on every route that lists products."""

from typing import Any

import bundles
import numpy as np
import pytest
import random_bundles
from clients import Client

from serving.http.routes import create_app
from serving.live.served import Served, ServingState

pytestmark = pytest.mark.fast

ANNA = "/v1/customers/+7(916)539-6205/recommendations"
UNKNOWN = f"/v1/customers/{bundles.UNKNOWN_CUSTOMER}/recommendations"


def ids(answer: dict[str, Any]) -> list[str]:
    return [item["product"] for item in answer["items"]]


@pytest.mark.parametrize("path", [ANNA, UNKNOWN, "/v1/popular"])
def test_filters_by_category_brand_and_price(client: Client, path: str) -> None:
    def filtered(**options: Any) -> set[str]:
        return set(ids(client.get(path, params=options).json()))

    assert filtered(category="tea") == {"tea-1", "tea-2", "tea-3"}
    assert filtered(brand="Acme", category="tea") == {"tea-1", "tea-2"}  # tea-3 has no brand
    assert filtered(min_price=5, max_price=8) == {"coffee-2", "tea-1"}
    assert filtered(min_price=0) == {"coffee-1", "coffee-2", "tea-1", "tea-2"}  # tea-3 has no known price
    assert filtered(max_price=1000) == filtered(min_price=0)
    assert filtered(brand="Unknown") == filtered(category="cocoa") == filtered(max_price=1) == set()
    assert filtered(exclude="tea-1,coffee-1", n=2) < filtered(exclude="tea-1,coffee-1")


def test_filters_related_products(client: Client) -> None:
    similar, together = "/v1/products/coffee-2/similar", "/v1/products/coffee-1/bought-together"
    assert ids(client.get(similar, params={"min_price": 9}).json()) == ["coffee-1"]
    assert ids(client.get(similar, params={"exclude": "coffee-1", "in_stock": False}).json()) == ["coffee-3"]
    assert ids(client.get(together, params={"category": "tea", "in_stock": False}).json()) == ["tea-1"]
    assert ids(client.get(together, params={"brand": "Other"}).json()) == []


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("min_price=-1", "min_price"),
        ("min_price=nan", "min_price"),
        ("max_price=inf", "max_price"),
        ("min_price=5&max_price=4", "max_price"),
        ("max_price=cheap", "max_price"),
    ],
)
def test_rejects_an_invalid_price(client: Client, query: str, field: str) -> None:
    response = client.get(f"{ANNA}?{query}")
    assert (response.status_code, response.json()["error"]["field"]) == (400, field)
    assert query.rpartition("=")[2] not in response.text


def test_returns_n_items_if_enough_products_pass_the_filters(seed: int) -> None:
    rng = np.random.default_rng(seed)
    bundle = random_bundles.draw(rng)
    client = Client(create_app(ServingState(Served("1", bundle)), ""))
    for number in range(30):
        category, low = f"category {rng.integers(12)}", float(rng.integers(0, 30))
        options = {"category": category, "min_price": low, "n": 8}
        passes = (bundle.category == category.encode()) & (bundle.price >= low) & bundle.in_stock
        passes &= (bundle.popularity > 0) & ~bundle.hidden
        answer = client.get(f"/v1/customers/unknown-{number}/recommendations", params=options).json()
        assert len(answer["items"]) == min(8, np.count_nonzero(passes & (bundle.trend > 0)))
        for item in answer["items"]:
            assert passes[bundle.product(item["product"])]


def test_blank_ids_count_towards_the_limit_of_shown_products(client: Client) -> None:
    path = f"/v1/customers/{bundles.ANNA}/recommendations"
    assert client.get(path, params={"shown": [""] * 100}).status_code == 200
    answer = client.get(path, params={"shown": [""] * 101})
    assert answer.status_code == 400
    assert answer.json()["error"]["field"] == "shown"
