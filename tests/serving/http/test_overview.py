"""The endpoints behind the status line, the category menu and the example customers."""

from dataclasses import replace

import bundles
import pytest
from clients import Client
from documented import DocumentedClient
from shoppers import bundle_with_shoppers

from serving.bundle.format import Bundle, texts
from serving.http.routes import create_app
from serving.live.served import Served, ServingState

pytestmark = pytest.mark.fast

PSEUDONYM = bundle_with_shoppers().manifest["shoppers"]["shoppers"][0]["customer"]


def client_of(bundle: Bundle) -> Client:
    return DocumentedClient(
        create_app(ServingState(Served("7", bundle, {"verdict": "PROMOTED"})), bundles.KEY)
    )


def test_status_names_the_served_model_and_its_latency(client: Client) -> None:
    client.get("/v1/popular")
    answer = client.get("/v1/status").json()
    assert (answer["model"], answer["as_of"]) == ({"version": "7"}, "2026-11-20")
    assert answer["window"] == {"first_day": "2026-09-21", "last_day": "2026-11-20"}
    assert answer["verdict"]["verdict"] == "PROMOTED"
    assert answer["latency"].keys() == {"seconds", "answers", "p99_ms"}


def test_categories_are_listed_largest_first(client: Client) -> None:
    tea, coffee = {"category": "tea", "products": 4}, {"category": "coffee", "products": 3}
    assert client.get("/v1/categories").json()["items"] == [tea, coffee]
    assert client.get("/v1/categories", params={"n": 1}).json()["items"] == [tea]


def test_products_without_a_category_are_not_counted(bundle: Bundle) -> None:
    partly_labelled = replace(bundle, category=texts(["", "coffee", "", "tea", "tea", "tea", ""]))
    answer = client_of(partly_labelled).get("/v1/categories").json()["items"]
    assert answer == [{"category": "tea", "products": 3}, {"category": "coffee", "products": 1}]


def test_shoppers_have_cards_and_a_pseudonym_but_no_shop_id() -> None:
    response = client_of(bundle_with_shoppers()).get("/v1/shoppers")
    answer = response.json()
    assert (answer["cut"], answer["until"]) == ("2026-10-23", "2026-11-20")
    assert [card["product"] for card in answer["popular"]] == ["tea-1", "tea-2", "coffee-1"]
    first = answer["shoppers"][0]
    assert (first["kind"], first["customer"]) == ("loyal", f"pseudonym:{PSEUDONYM}")
    assert [card["name"] for card in first["bought"]] == ["Кофе два", "Tea two"]
    assert "9165396205" not in response.text


def test_a_pseudonym_is_accepted_in_place_of_an_id() -> None:
    client = client_of(bundle_with_shoppers())
    shopper = client.get("/v1/shoppers").json()["shoppers"][0]["customer"]
    by_id, by_pseudonym = (
        client.get(f"/v1/customers/{customer}/recommendations").json() for customer in (bundles.ANNA, shopper)
    )
    assert by_pseudonym == by_id
    assert by_id["known"]


def test_forgotten_customers_are_no_shoppers() -> None:
    bundle = bundle_with_shoppers()
    vars(bundle)["forgotten"] = frozenset({PSEUDONYM})
    assert [shopper["kind"] for shopper in client_of(bundle).get("/v1/shoppers").json()["shoppers"]] == [
        "once"
    ]


@pytest.mark.parametrize("manifest", [{}, {"shoppers": None}])
def test_a_bundle_without_shoppers_returns_an_empty_list(bundle: Bundle, manifest: dict[str, None]) -> None:
    answer = client_of(replace(bundle, manifest=bundle.manifest | manifest)).get("/v1/shoppers").json()
    assert answer == {"model": {"version": "7"}, "cut": None, "until": None, "popular": [], "shoppers": []}


def test_the_model_route_leaves_shoppers_out() -> None:
    assert "shoppers" not in client_of(bundle_with_shoppers()).get("/v1/model").json()
