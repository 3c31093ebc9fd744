"""What the storefront shows beside recommendations."""

from dataclasses import replace

import bundles
import pytest
from clients import Client
from documented import DocumentedClient
from shoppers import bundle_with_shoppers

from serving.bundle.format import Bundle, texts
from serving.http.routes import create_app
from serving.live.served import Served, ServingState

PSEUDONYM = bundle_with_shoppers().manifest["shoppers"]["shoppers"][0]["customer"]


def of(bundle: Bundle) -> Client:
    return DocumentedClient(
        create_app(ServingState(Served("7", bundle, {"verdict": "PROMOTED"})), bundles.KEY)
    )


def test_the_status_tells_who_serves_and_how_fast(client: Client) -> None:
    client.get("/v1/popular")
    told = client.get("/v1/status").json()
    assert (told["model"], told["as_of"]) == ({"version": "7"}, "2026-11-20")
    assert told["window"] == {"first_day": "2026-09-21", "last_day": "2026-11-20"}
    assert told["verdict"]["verdict"] == "PROMOTED"
    assert told["latency"].keys() == {"seconds", "answers", "p99_ms"}


def test_categories_are_told_with_their_products_the_largest_first(client: Client) -> None:
    tea, coffee = {"category": "tea", "products": 4}, {"category": "coffee", "products": 3}
    assert client.get("/v1/categories").json()["items"] == [tea, coffee]
    assert client.get("/v1/categories", params={"n": 1}).json()["items"] == [tea]


def test_a_product_without_a_category_is_in_none(bundle: Bundle) -> None:
    some = replace(bundle, category=texts(["", "coffee", "", "tea", "tea", "tea", ""]))
    told = of(some).get("/v1/categories").json()["items"]
    assert told == [{"category": "tea", "products": 3}, {"category": "coffee", "products": 1}]


def test_shoppers_are_told_with_cards_and_no_id_of_the_shop() -> None:
    answer = of(bundle_with_shoppers()).get("/v1/shoppers")
    told = answer.json()
    assert (told["cut"], told["until"]) == ("2026-10-23", "2026-11-20")
    assert [card["product"] for card in told["popular"]] == ["tea-1", "tea-2", "coffee-1"]
    first = told["shoppers"][0]
    assert (first["kind"], first["customer"]) == ("loyal", f"pseudonym:{PSEUDONYM}")
    assert [card["name"] for card in first["bought"]] == ["Кофе два", "Tea two"]
    assert "9165396205" not in answer.text


def test_a_shopper_is_asked_about_by_the_pseudonym() -> None:
    client = of(bundle_with_shoppers())
    shopper = client.get("/v1/shoppers").json()["shoppers"][0]["customer"]
    by_id, by_pseudonym = (
        client.get(f"/v1/customers/{customer}/recommendations").json() for customer in (bundles.ANNA, shopper)
    )
    assert by_pseudonym == by_id
    assert by_id["known"]


def test_who_was_forgotten_is_no_shopper() -> None:
    bundle = bundle_with_shoppers()
    vars(bundle)["forgotten"] = frozenset({PSEUDONYM})
    assert [one["kind"] for one in of(bundle).get("/v1/shoppers").json()["shoppers"]] == ["once"]


@pytest.mark.parametrize("manifest", [{}, {"shoppers": None}])
def test_a_bundle_without_shoppers_has_none(bundle: Bundle, manifest: dict[str, None]) -> None:
    told = of(replace(bundle, manifest=bundle.manifest | manifest)).get("/v1/shoppers").json()
    assert told == {"model": {"version": "7"}, "cut": None, "until": None, "popular": [], "shoppers": []}


def test_the_model_route_does_not_tell_of_shoppers() -> None:
    assert "shoppers" not in of(bundle_with_shoppers()).get("/v1/model").json()
