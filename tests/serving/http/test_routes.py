"""The routes over the small bundle of bundles.py, whose answers can be computed by hand."""

import json
from typing import Any

import bundles
import numpy as np
import pytest
from clients import Client

from serving.http import endpoints
from serving.http.routes import ROUTES, create_app
from serving.live.served import Served, ServingState

pytestmark = pytest.mark.fast

ANNA = "/v1/customers/+7(916)539-6205/recommendations"
UNKNOWN = f"/v1/customers/{bundles.UNKNOWN_CUSTOMER}/recommendations"


def ids(answer: dict[str, Any]) -> list[str]:
    return [item["product"] for item in answer["items"]]


def test_ranks_products_by_the_factors(client: Client) -> None:
    answer = client.get(ANNA, params={"in_stock": False}).json()
    assert answer["model"] == {"version": "7"}
    assert answer["known"] is True
    assert ids(answer) == ["coffee-1", "coffee-2", "coffee-3", "tea-1", "tea-2", "tea-3"]
    assert [item["score"] for item in answer["items"]] == [2, 1.8, 1.6, 0.5, 0.45, 0.4]


def test_all_spellings_of_a_phone_number_are_one_customer(client: Client) -> None:
    spellings = ["+7(916)539-6205", "+7 (916) 539-6205", "79165396205", "%2B79165396205"]
    answers = [client.get(f"/v1/customers/{spelling}/recommendations").json() for spelling in spellings]
    assert all(answer == answers[0] and answer["known"] for answer in answers)


def test_items_have_catalogue_data_score_and_reason(client: Client) -> None:
    own, *_, taste = client.get(ANNA, params={"in_stock": False, "n": 3}).json()["items"]
    assert own == {
        "product": "coffee-1",
        "name": "Coffee one",
        "category": "coffee",
        "brand": "Acme",
        "price": 9.5,
        "in_stock": True,
        "score": 2,
        "reason": {"kind": "repurchase", "because": [{"product": "coffee-1", "name": "Coffee one"}]},
    }
    # coffee-1 contributes 0.8 x 1 to the score of coffee-3, and coffee-2 contributes 0.8 x 0.9.
    assert taste["reason"] == {
        "kind": "taste",
        "because": [
            {"product": "coffee-1", "name": "Coffee one"},
            {"product": "coffee-2", "name": "Кофе два"},
        ],
    }


def test_a_reason_names_no_product_without_influence(client: Client) -> None:
    tea = client.get(ANNA, params={"category": "tea", "n": 1}).json()["items"][0]
    assert tea["reason"] == {"kind": "taste", "because": []}  # the factors of coffees and teas are orthogonal


def test_unknown_values_are_null(client: Client) -> None:
    item = client.get(ANNA, params={"category": "tea", "n": 3}).json()["items"][2]
    assert (item["product"], item["name"], item["brand"], item["price"]) == ("tea-3", None, None, None)


@pytest.mark.parametrize(
    ("lane", "expected"),
    [
        ("for-you", ["coffee-1", "coffee-2", "tea-1", "tea-2", "tea-3"]),
        ("buy-again", ["coffee-1", "coffee-2"]),
        ("discover", ["tea-1", "tea-2", "tea-3"]),
    ],
)
def test_lane_selects_by_past_purchases(client: Client, lane: str, expected: list[str]) -> None:
    answer = client.get(ANNA, params={"lane": lane}).json()
    assert (answer["lane"], ids(answer)) == (lane, expected)


def test_filters_are_applied_before_n_items_are_selected(client: Client) -> None:
    assert ids(client.get(ANNA, params={"n": 3}).json()) == ["coffee-1", "coffee-2", "tea-1"]
    assert ids(client.get(ANNA, params={"n": 2, "category": "tea"}).json()) == ["tea-1", "tea-2"]
    excluded = client.get(ANNA + "?n=2&exclude=coffee-1,coffee-2&exclude=tea-1&exclude=never-heard-of").json()
    assert ids(excluded) == ["tea-2", "tea-3"]


def test_an_unknown_customer_gets_the_trend(client: Client) -> None:
    answer = client.get(UNKNOWN).json()
    assert answer["known"] is False
    assert ids(answer) == ["tea-1", "tea-2", "coffee-1", "coffee-2", "tea-3"]
    assert {item["reason"]["kind"] for item in answer["items"]} == {"trending"}


def test_an_unknown_customer_of_a_region_gets_its_trend_then_the_overall_trend(client: Client) -> None:
    answer = client.get(UNKNOWN, params={"group": " France "}).json()
    assert (answer["known"], answer["group"]) == (False, "France")
    assert ids(answer) == ["tea-3", "coffee-1", "tea-1", "tea-2", "coffee-2"]
    assert [item["score"] for item in answer["items"]] == [0.5001, 0.2506, 0.001, 0.0008, 0.0002]
    assert {item["reason"]["kind"] for item in answer["items"]} == {"trending"}
    coffee = client.get(UNKNOWN, params={"group": "Ελλάδα", "category": "coffee", "n": 1}).json()
    assert (coffee["group"], ids(coffee)) == ("Ελλάδα", ["coffee-2"])


@pytest.mark.parametrize("path", [UNKNOWN, "/v1/popular"])
@pytest.mark.parametrize("group", ["Few", "", "france", None])
def test_an_unknown_region_gets_the_overall_trend(client: Client, path: str, group: str | None) -> None:
    answer = client.get(path, params={} if group is None else {"group": group}).json()
    assert answer["group"] is None
    assert ids(answer) == ["tea-1", "tea-2", "coffee-1", "coffee-2", "tea-3"]


def test_the_region_is_ignored_for_a_known_customer(client: Client) -> None:
    answer = client.get(ANNA, params={"group": "France"}).json()
    assert answer == client.get(ANNA).json()
    assert (answer["known"], answer["group"]) == (True, None)


def test_popular_in_a_region(client: Client) -> None:
    answer = client.get("/v1/popular", params={"group": "France", "n": 3}).json()
    assert (answer["group"], answer["days"], ids(answer)) == ("France", None, ["tea-3", "coffee-1", "tea-1"])
    response = client.get("/v1/popular", params={"group": "France", "days": 7})
    assert (response.status_code, response.json()["error"]["field"]) == (400, "group")
    assert "France" not in response.text


def test_products_without_purchases_are_never_recommended(client: Client) -> None:
    for path in (ANNA, UNKNOWN, "/v1/popular", "/v1/products/coffee-1/similar"):
        assert "new" not in ids(client.get(path, params={"in_stock": False, "n": 100}).json())


def test_similar_products(client: Client) -> None:
    answer = client.get("/v1/products/coffee-2/similar", params={"in_stock": False}).json()
    assert answer["product"] == {"product": "coffee-2", "name": "Кофе два"}
    assert ids(answer) == ["coffee-1", "coffee-3"]  # the factors of teas and coffees are orthogonal
    assert ids(client.get("/v1/products/coffee-2/similar").json()) == ["coffee-1"]
    described = client.get("/v1/products/new/similar").json()
    assert ids(described) == ["tea-1", "tea-2", "coffee-2"]  # without purchases, the description decides
    assert {item["reason"]["kind"] for item in described["items"]} == {"alike"}


def test_bought_together(client: Client) -> None:
    item = client.get("/v1/products/tea-1/bought-together").json()["items"][0]
    numbers = {key: item[key] for key in ("score", "confidence", "lift", "support", "count")}
    assert item["product"] == "tea-2"
    assert numbers == {"score": 0.9, "confidence": 0.9, "lift": 4.5, "support": 0.1, "count": 10}
    assert item["reason"] == {"kind": "bought-together", "because": [{"product": "tea-1", "name": "Tea one"}]}
    path = "/v1/products/coffee-1/bought-together"
    assert ids(client.get(path, params={"n": 1}).json()) == ["tea-1"]  # the best, coffee-3, is out of stock
    assert ids(client.get(path, params={"in_stock": False}).json()) == [
        "coffee-3",
        "tea-1",
    ]  # and no coffee-2


def test_popular(client: Client) -> None:
    assert ids(client.get("/v1/popular", params={"n": 3}).json()) == ["tea-1", "tea-2", "coffee-1"]
    assert ids(client.get("/v1/popular", params={"days": 7}).json()) == ["tea-2", "tea-1"]
    month = client.get("/v1/popular", params={"days": 28, "category": "coffee", "in_stock": "no"}).json()
    assert [(item["product"], item["score"]) for item in month["items"]] == [("coffee-3", 2), ("coffee-1", 1)]
    assert (month["days"], month["category"]) == (28, "coffee")


def test_model_returns_the_manifest_and_the_verdict(client: Client, live: ServingState) -> None:
    assert live.served is not None
    answer = client.get("/v1/model").json()
    extra = {"model": {"version": "7"}, "verdict": live.served.verdict}
    extra |= {"rules": {"in_force": [], "error": None}}
    assert live.served.verdict
    assert answer == live.served.bundle.manifest | extra


def test_legacy_routes_keep_their_shapes(client: Client) -> None:
    users = client.get("/users/+7 (916) 539-6205/recommendations")
    assert users.json() == [
        {"goodsId": "coffee-1", "rating": 2},
        {"goodsId": "coffee-2", "rating": 1.8},
        {"goodsId": "tea-1", "rating": 0.5},
    ]
    assert client.get("/products/coffee-1/associations").json() == [
        {"antecedent": "coffee-1", "consequent": "coffee-2", "confidence": 0.6},
        {"antecedent": "coffee-1", "consequent": "coffee-3", "confidence": 0.5},
        {"antecedent": "coffee-1", "consequent": "tea-1", "confidence": 0.4},
    ]
    reco = client.post("/reco", json={"user_id": 79165396205})
    assert [item["item_id"] for item in reco.json()] == ["coffee-1", "coffee-2", "tea-1", "tea-2", "tea-3"]
    assert reco.json()[0] == {"score": 2, "item_name": "Coffee one", "item_id": "coffee-1", "brand": "Acme"}
    assert users.headers["Nightshelf-Model-Version"] == reco.headers["Nightshelf-Model-Version"] == "7"


def test_legacy_routes_answer_for_an_unknown_customer(client: Client) -> None:
    assert client.get(f"/users/{bundles.UNKNOWN_CUSTOMER}/recommendations").json()[0]["goodsId"] == "tea-1"
    assert client.post("/reco", json={"user_id": "5f2c"}).json()[0]["item_id"] == "tea-1"


@pytest.mark.parametrize(
    ("path", "field"),
    [
        (f"{ANNA}?n=0", "n"),
        (f"{ANNA}?n=101", "n"),
        (f"{ANNA}?n=five+hundred", "n"),
        (f"{ANNA}?n=1&n=2", "n"),
        (f"{ANNA}?lane=secret-lane", "lane"),
        (f"{ANNA}?in_stock=perhaps", "in_stock"),
        (f"{ANNA}?colour=red", "colour"),
        (f"{ANNA}?customer=somebody-else", "customer"),
        (f"{ANNA}?group=Spain&group=France", "group"),
        (f"{ANNA}?on=1767225600", "on"),
        (f"{ANNA}?on=2026-02-29", "on"),
        ("/v1/popular?days=8", "days"),
        ("/v1/model?verbose=1", "verbose"),
        ("/users/79165396205/recommendations?n=3", "n"),
    ],
)
def test_names_an_invalid_parameter_without_its_value(client: Client, path: str, field: str) -> None:
    response = client.get(path)
    error = response.json()["error"]
    assert (response.status_code, error["code"], error["field"]) == (400, "bad_parameter", field)
    value = path.rpartition("=")[2].replace("+", " ")
    assert field in error["message"]
    assert len(value) < 3 or value not in response.text


def test_the_error_for_days_names_the_available_periods(client: Client) -> None:
    assert "[7, 28]" in client.get("/v1/popular?days=8").json()["error"]["message"]


@pytest.mark.parametrize(
    ("body", "field"),
    [('{"user_id": 7916539', None), ("[7916539]", None), ("{}", "user_id"), ('{"user_id": null}', "user_id"),
     ('{"user_id": "1", "n": 5}', "n")],
)  # fmt: skip
def test_rejects_an_invalid_body(client: Client, body: str, field: str | None) -> None:
    response = client.post("/reco", content=body)
    assert (response.status_code, response.json()["error"]["field"]) == (400, field)
    assert "7916539" not in response.text


@pytest.mark.parametrize(("field", "value"), [("n", "5"), ("n", True), ("in_stock", 0), ("in_stock", "no")])
def test_body_fields_must_have_their_json_type(client: Client, field: str, value: object) -> None:
    response = client.post("/v1/recommendations", json={"customers": ["1"], field: value})
    assert (response.status_code, response.json()["error"]["field"]) == (400, field)


def test_a_body_may_write_an_integer_as_2_0(client: Client) -> None:
    response = client.post("/v1/recommendations", content=b'{"customers": [7], "n": 2.0}')
    assert len(response.json()["customers"][0]["items"]) == 2
    assert client.post("/v1/recommendations", json={"customers": ["1"], "n": 2.5}).status_code == 400


@pytest.mark.parametrize("exclude", [1252, {}, [["tea-1"]], [None]])
def test_rejects_product_ids_that_are_no_texts(client: Client, exclude: object) -> None:
    response = client.post("/v1/recommendations", json={"customers": ["1"], "exclude": exclude})
    assert (response.status_code, response.json()["error"]["field"]) == (400, "exclude")


@pytest.mark.parametrize("route", ["similar", "bought-together"])
def test_returns_404_for_an_unknown_product(client: Client, route: str) -> None:
    response = client.get(f"/v1/products/79165396205/{route}")
    assert (response.status_code, response.json()["error"]["code"]) == (404, "unknown_product")
    assert response.json()["error"]["field"] == "product"
    assert "79165396205" not in response.text
    assert client.get("/products/79165396205/associations").status_code == 404


def test_ids_may_contain_slashes_and_any_letters(live: ServingState) -> None:
    assert live.served is not None
    products = np.array(sorted(["a/b", "Ёж", "c d", "d", "e", "f", "g"], key=str.encode))
    renamed = bundles.small(products=list(products))
    client = Client(create_app(ServingState(Served("1", renamed)), bundles.KEY))
    for product in ("a/b", "Ёж", "c d"):
        answer = client.get(f"/v1/products/{product}/similar").json()
        assert answer["product"]["product"] == product


def test_returns_404_for_an_unknown_route_and_405_for_a_wrong_method(client: Client) -> None:
    for path in ("/v1/customers/79165396205", "/v1/customers/79165396205/recommendations/", "/docs.json"):
        response = client.get(path, follow_redirects=False)
        assert (response.status_code, response.json()["error"]["code"]) == (404, "not_found")
    response = client.post("/v1/model")
    assert (response.status_code, response.json()["error"]["code"]) == (405, "method_not_allowed")
    assert "GET" in response.headers["Allow"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("DELETE", f"/v1/customers/{bundles.ANNA}/history"),
        ("DELETE", f"/v1/customers/{bundles.ANNA}/recommendations"),
        ("PUT", "/v1/products/tea-1/similar"),
    ],
)
def test_a_write_method_on_a_subresource_changes_nothing(client: Client, method: str, path: str) -> None:
    response = client.request(method, path, json={})
    assert (response.status_code, response.json()["error"]["code"]) == (405, "method_not_allowed")


def test_without_a_model_every_route_returns_503_with_the_reason() -> None:
    client = Client(create_app(ServingState(None, "no nightly run has finished"), bundles.KEY))
    for method, path, *_ in ROUTES:
        response = client.request(method, path)
        assert response.status_code == 503
        assert response.json()["error"]["code"] == "no_model"
        assert "no nightly run has finished" in response.json()["error"]["message"]


def test_a_failure_logs_its_location_without_personal_data(
    client: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise KeyError("79165396205")

    monkeypatch.setattr(endpoints, "rankings", fail)
    response = client.get(ANNA)
    assert (response.status_code, response.json()["error"]["code"]) == (500, "internal")
    assert "/v1/customers/{customer}/recommendations failed: KeyError at test_routes.py" in caplog.text
    assert "79165396205" not in caplog.text + response.text


def test_numbers_are_valid_json(client: Client) -> None:
    def reject(constant: str) -> None:
        raise AssertionError(constant)

    for path in (ANNA, "/v1/popular", "/v1/model"):
        json.loads(client.get(path).text, parse_constant=reject)
