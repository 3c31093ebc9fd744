"""Requests that make no sense, drawn at random: always a 4xx that names the field, never a failure."""

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
TAKEN = ("-1", "[1.5]", '"\\u0000"')  # as the text of an id, or the name of a category
NAMED = {"/v1/events": "events.0."}
ASKED = [
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
# What no field takes: a number that JSON can't say, a text of no Unicode, what is nested, or not of its type.
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
values = st.recursive(scalars, lambda one: st.lists(one) | st.dictionaries(names, one), max_leaves=10)


@pytest.fixture
def client(bundle: Bundle, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Client:
    caplog.set_level(logging.WARNING)
    live = ServingState(Served("7", bundle), changes=open_changes(tmp_path))
    return DocumentedClient(create_app(live, bundles.KEY))


def send(client: Client, path: str, body: bytes, **options: Any) -> tuple[int, dict[str, Any]]:
    """Status and error of a body sent to a route, which the document must know."""
    method = "PUT" if "products" in path else "POST"
    response = client.request(method, path, content=body, **options)
    answer = response.json()
    return response.status_code, answer.get("error", {}) if isinstance(answer, dict) else {}


def fields() -> list[tuple[str, str]]:
    """Each field of each body, with its route."""
    operations = [(path.replace("{product}", "tea-1"), told) for _, path, told in docs.operations(DOCUMENT)]
    bodies = [(path, told) for path, told in operations if "requestBody" in told and path != "/v1/events"]
    found = [(path, name) for path, told in bodies for name in _properties(told)]
    return [*found, *(("/v1/events", name) for name in ("customer", "product", "kind", "time", "id"))]


def _properties(told: dict[str, Any]) -> list[str]:
    return list(told["requestBody"]["content"]["application/json"]["schema"]["properties"])


@pytest.mark.parametrize(("path", "field"), fields())
def test_a_field_that_makes_no_sense_is_named(
    client: Client, caplog: pytest.LogCaptureFixture, path: str, field: str
) -> None:
    for value in NONSENSE:
        given = {name: json.dumps(one) for name, one in FIELDS[path].items()} | {field: value}
        body = "{" + ", ".join(f'"{name}": {one}' for name, one in given.items()) + "}"
        status, error = send(client, path, body.encode())
        if status == 200:
            assert value in TAKEN
        else:
            assert (status, error["code"]) == (400, "bad_parameter")
            is_no_json = "\\ud" in value or "\\udc" in value or len(value) > DEPTH
            assert error["field"] == (None if is_no_json else NAMED.get(path, "") + field)
    assert caplog.text == ""


@FUZZED
@given(body=st.binary() | values.map(lambda one: json.dumps(one).encode()))
@pytest.mark.parametrize("path", FIELDS)
def test_any_body_is_answered_or_refused(
    client: Client, caplog: pytest.LogCaptureFixture, path: str, body: bytes
) -> None:
    for kind in ("application/json", "text/xml; charset=utf-16", "multipart/form-data", "\x00"):
        status, error = send(client, path, body, headers={"Content-Type": kind})
        assert status == 200 or (status, error["code"]) == (400, "bad_parameter")
        assert error.get("field") or status == 200 or error["message"].startswith("body: ")
    assert caplog.text == ""


@FUZZED
@given(name=st.binary(max_size=300).map(quote_from_bytes) | st.text("/.%\\\0ä", max_size=30).map(quote))
def test_any_id_in_a_path_is_answered_or_not_found(
    client: Client, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    plain = Client(client.app)  # of what isn't a route, such as /v1/customers/../, no document tells
    for path in (f"/v1/customers/{name}/recommendations", f"/users/{name}/recommendations"):
        assert plain.get(path).status_code in (200, 404, 405)
    for path in (f"/v1/products/{name}/similar", f"/products/{name}/associations"):
        response = plain.get(path)
        assert response.status_code in (404, 405)
        assert response.json()["error"]["field"] in ("product", None)
    assert caplog.text == ""


@FUZZED
@given(
    name=st.text(max_size=20) | st.sampled_from(ASKED), value=st.text(max_size=50) | st.from_regex(r"-?\d+")
)
@pytest.mark.parametrize(
    "path", ["/v1/popular", "/v1/products/tea-1/similar", "/v1/customers/1/recommendations"]
)
def test_any_parameter_in_a_url_is_answered_or_named(
    client: Client, caplog: pytest.LogCaptureFixture, path: str, name: str, value: str
) -> None:
    response = client.get(f"{path}?{urlencode({name: value})}")
    assert response.status_code in (200, 400)
    if response.status_code == 400:
        assert response.json()["error"]["field"] == (name or None)
    assert caplog.text == ""
