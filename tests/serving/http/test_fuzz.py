"""Random nonsensical requests always get a 4xx that names the field, and never fail the service."""

import json
import logging
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_from_bytes, urlencode

import bundles
import pytest
from clients import Client
from documented import DOCUMENT, DocumentedClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stores import open_changes

from serving.bundle.format import Bundle
from serving.http.pages import docs
from serving.http.routes import create_app
from serving.live.served import Served, ServingState

DEPTH = 10_000
ACCEPTED = ("-1", "[1.5]", '"\\u0000"')  # valid as the text of an id or as the name of a category
PREFIXES = {"/v1/events": "events.0."}
PARAMETERS = [
    "n",
    "lane",
    "in_stock",
    "category",
    "min_price",
    "max_price",
    "exclude",
    "days",
    "group",
    "on",
    "rules",
]
FUZZED = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
# Values that no field accepts: numbers beyond JSON, invalid Unicode, nested values, values of the wrong type.
NONSENSE = [
    "NaN", "Infinity", "-Infinity", "1e400", "-1e400", "1" + "0" * 400, "-1", '"\\ud800"', '"\\udc00x"',
    "[" * DEPTH + "]" * DEPTH, '{"a":' * DEPTH + "1" + "}" * DEPTH, "[[]]", "[null]", '[{"a": 1}]', '{"": 0}',
    '"\\u0000"', "[1.5]", '["\\ud800"]',
]  # fmt: skip
FIELDS = {
    "/v1/recommendations": {"customers": ["1"]},
    "/v1/cart/recommendations": {"cart": ["tea-1"]},
    "/v1/events": {"customer": "1", "product": "tea-1", "kind": "view"},
    "/reco": {"user_id": "1"},
    "/v1/products/tea-1": {"stock": 1},
}


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
names = st.text(max_size=5) | st.sampled_from(
    ["customers", "cart", "customer", "user_id", "stock", "n", "time"]
)
values = st.recursive(
    scalars, lambda children: st.lists(children) | st.dictionaries(names, children), max_leaves=10
)


@pytest.fixture
def client(bundle: Bundle, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Client:
    caplog.set_level(logging.WARNING)
    live = ServingState(Served("7", bundle), changes=open_changes(tmp_path))
    return DocumentedClient(create_app(live, bundles.KEY))


def send(client: Client, path: str, body: bytes, **options: Any) -> tuple[int, dict[str, Any]]:
    """Returns the status of the response to a body, and its error, empty without one."""
    method = "PUT" if "products" in path else "POST"
    response = client.request(method, path, content=body, **options)
    answer = response.json()
    return response.status_code, answer.get("error", {}) if isinstance(answer, dict) else {}


def fields() -> list[tuple[str, str]]:
    """Returns the path and the name of each field of each request body."""
    operations = [
        (path.replace("{product}", "tea-1"), operation) for _, path, operation in docs.operations(DOCUMENT)
    ]
    others = [route for route in operations if "requestBody" in route[1] and route[0] != "/v1/events"]
    named = [(path, name) for path, operation in others for name in _properties(operation)]
    return [*named, *(("/v1/events", name) for name in ("customer", "product", "kind", "time", "id"))]


def _properties(operation: dict[str, Any]) -> list[str]:
    """Returns the fields of a request body; none of a shop's order, whose fields are the shop's own."""
    return list(operation["requestBody"]["content"]["application/json"]["schema"].get("properties", []))


@pytest.mark.parametrize(("path", "field"), fields())
def test_names_a_field_with_a_nonsensical_value(
    client: Client, caplog: pytest.LogCaptureFixture, path: str, field: str
) -> None:
    for value in NONSENSE:
        texts = {name: json.dumps(valid) for name, valid in FIELDS[path].items()} | {field: value}
        body = "{" + ", ".join(f'"{name}": {text}' for name, text in texts.items()) + "}"
        status, error = send(client, path, body.encode())
        if status == 200:
            assert value in ACCEPTED
        else:
            assert (status, error["code"]) == (400, "bad_parameter")
            is_invalid_json = "\\ud" in value or "\\udc" in value or len(value) > DEPTH
            assert error["field"] == (None if is_invalid_json else PREFIXES.get(path, "") + field)
    assert caplog.text == ""


@FUZZED
@given(body=st.binary() | values.map(lambda value: json.dumps(value).encode()))
@pytest.mark.parametrize("path", FIELDS)
def test_any_body_is_answered_or_rejected(
    client: Client, caplog: pytest.LogCaptureFixture, path: str, body: bytes
) -> None:
    for kind in ("application/json", "Application/merge-patch+JSON; charset=utf-16", ""):
        status, error = send(client, path, body, headers={"Content-Type": kind})
        assert status == 200 or (status, error["code"]) == (400, "bad_parameter")
        assert error.get("field") or status == 200 or error["message"].startswith("body: ")
    for kind in ("text/xml; charset=utf-16", "multipart/form-data", "application/jsonp", "\x00"):
        assert send(client, path, body, headers={"Content-Type": kind})[0] == 415
    assert caplog.text == ""


@FUZZED
@given(name=st.binary(max_size=300).map(quote_from_bytes) | st.text("/.%\\\0ä", max_size=30).map(quote))
def test_any_id_in_a_path_is_answered_or_not_found(
    client: Client, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    plain = Client(client.app)  # the document lacks paths such as /v1/customers/../, which are no routes
    for path in (f"/v1/customers/{name}/recommendations", f"/users/{name}/recommendations"):
        assert plain.get(path).status_code in (200, 404, 405)
    for path in (f"/v1/products/{name}/similar", f"/products/{name}/associations"):
        response = plain.get(path)
        assert response.status_code in (404, 405)
        assert response.json()["error"]["field"] in ("product", None)
    assert caplog.text == ""


@FUZZED
@given(
    name=st.text(max_size=20) | st.sampled_from(PARAMETERS),
    value=st.text(max_size=50) | st.from_regex(r"-?\d+"),
)
@pytest.mark.parametrize(
    "path", ["/v1/popular", "/v1/products/tea-1/similar", "/v1/customers/1/recommendations"]
)
def test_any_url_parameter_is_answered_or_named(
    client: Client, caplog: pytest.LogCaptureFixture, path: str, name: str, value: str
) -> None:
    response = client.get(f"{path}?{urlencode({name: value})}")
    assert response.status_code in (200, 400)
    if response.status_code == 400:
        assert response.json()["error"]["field"] == (name or None)
    assert caplog.text == ""
