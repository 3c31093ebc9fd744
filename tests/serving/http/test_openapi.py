"""The OpenAPI document is valid, is complete, and describes what the application does."""

import dataclasses
from pathlib import Path
from typing import Any

import bundles
import numpy as np
import pytest
from clients import Client
from documented import DOCUMENT, DocumentedClient, response_schema, validate
from jsonschema import Draft202012Validator, ValidationError
from starlette.responses import JSONResponse
from starlette.routing import Route
from stores import open_changes

from serving.bundle.format import texts
from serving.http import openapi
from serving.http.pages import docs
from serving.http.routes import ROUTES, create_app
from serving.live.served import Served, ServingState
from serving.observe.masking import display_path
from serving.settings import PROJECT

pytestmark = pytest.mark.fast

OPERATIONS = docs.operations(DOCUMENT)
EXAMPLE_IDS = [str(number) for number in range(10017, 10024)]


@pytest.fixture
def kitchen(tmp_path: Path) -> Client:
    """A client of an application whose catalogue has the products of the examples."""
    bundle = dataclasses.replace(
        bundles.small(products=EXAMPLE_IDS),
        category=texts(["Kitchen"] * 7),
        brand=texts(["Nordlys"] * 7),
        price=np.full(7, 20.0),
    )
    served = Served("12", bundle, {"verdict": "PROMOTED"})
    return DocumentedClient(create_app(ServingState(served, changes=open_changes(tmp_path)), bundles.KEY))


def operation_id(operation: tuple[str, str, dict[str, Any]]) -> str:
    return str(operation[2]["operationId"])


@pytest.mark.parametrize("operation", [row for row in OPERATIONS if row[2]["security"]], ids=operation_id)
def test_every_example_request_succeeds(operation: tuple[str, str, dict[str, Any]], kitchen: Client) -> None:
    method, address, body = docs.example_request(*operation)
    response = kitchen.request(
        method, address, json=body
    )  # the client compares the response with the document
    assert response.status_code == 200, response.text
    assert response.headers["Nightshelf-Model-Version"] == "12"
    if isinstance(response.json(), dict) and "items" in response.json():
        assert response.json()["items"]


@pytest.mark.parametrize("operation", OPERATIONS, ids=operation_id)
def test_every_example_matches_its_schema(operation: tuple[str, str, dict[str, Any]]) -> None:
    *_, details = operation
    validate(
        response_schema(details, 200), details["responses"]["200"]["content"]["application/json"]["example"]
    )
    for parameter in details["parameters"]:
        if "example" in parameter:
            validate(parameter["schema"], parameter["example"])
    if body := details.get("requestBody"):
        validate(
            body["content"]["application/json"]["schema"], body["content"]["application/json"]["example"]
        )


@pytest.mark.parametrize("operation", OPERATIONS, ids=operation_id)
def test_every_response_has_a_shape(operation: tuple[str, str, dict[str, Any]]) -> None:
    schema = response_schema(operation[2], 200)
    assert "$ref" in schema.get("items", schema), "name a shape in the endpoint's return annotation"


def test_documents_every_route_once() -> None:
    documented = {(method, path) for method, path, _ in OPERATIONS}
    assert documented == {(row.method, display_path(row.path)) for row in ROUTES}
    assert len({operation_id(operation) for operation in OPERATIONS}) == len(OPERATIONS)


def test_every_schema_is_a_valid_json_schema() -> None:
    for schema in DOCUMENT["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


def test_the_document_is_served(client: Client) -> None:
    response = client.get("/v1/openapi.json")
    assert response.json() == DOCUMENT
    assert response.headers["Content-Type"] == "application/json"


def test_the_documented_client_fails_on_an_undocumented_field() -> None:
    async def undocumented(_: object) -> JSONResponse:
        return JSONResponse({"model": {"version": "1"}, "lane": "discover", "customers": [], "surprise": 1})

    app = create_app(ServingState(), bundles.KEY)
    app.router.routes.insert(0, Route("/v1/recommendations", undocumented, methods=["POST"]))
    with pytest.raises(ValidationError, match="surprise"):
        DocumentedClient(app).post("/v1/recommendations", json={})


def test_url_parameters_are_never_null() -> None:
    for *_, details in OPERATIONS:
        for parameter in details["parameters"]:
            assert "null" not in str(parameter["schema"])


def test_the_guide_names_every_status() -> None:
    text = (PROJECT / "docs" / "http.md").read_text()
    assert [status for status in openapi.ERROR_DESCRIPTIONS if f"| {status} |" not in text] == []


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/v1/popular?n=" + "9" * 5000, "n"),
        ("/v1/popular?n=1e999", "n"),
        ("/v1/popular?n=nan", "n"),
        ("/v1/popular?n=%ff%fe", "n"),
        ("/v1/popular?days=%00", "days"),
        ("/v1/popular?%F0%9F%98%80=1", "😀"),
    ],
)
def test_names_a_parameter_with_a_nonsensical_value(client: Client, path: str, field: str) -> None:
    response = client.get(path)
    assert (response.status_code, response.json()["error"]["field"]) == (400, field)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"[" * 100_000, None),
        (b'{"user_id":' * 50_000, None),
        (b'{"user_id":' + b"9" * 5000 + b"}", None),
        (b'{"user_id":"\\ud800"}', None),
        (b'{"user_id":"\xff"}', None),
        (b'{"user_id":{"a":1}}', "user_id"),
        (b'{"user_id":true}', "user_id"),
        (b'{"user_id":NaN}', "user_id"),
        (b'{"user_id":1e999}', "user_id"),
        (b"", None),
    ],
)
def test_rejects_a_nonsensical_body(client: Client, body: bytes, field: str | None) -> None:
    response = client.post("/reco", content=body)
    assert (response.status_code, response.json()["error"]["field"]) == (400, field)


@pytest.mark.parametrize(
    "customer", ["%00", "%ff%fe", "%ed%a0%80", "😀", "a" * 50_000, "..%2f..%2fetc", "'--"]
)
def test_a_customer_id_may_be_any_text(client: Client, customer: str) -> None:
    assert client.get(f"/v1/customers/{customer}/recommendations").json()["known"] is False
