"""Before the first model: what only the store needs is accepted, and counts once a model is live."""

from pathlib import Path

import bundles
import pytest
from clients import Client
from documented import DocumentedClient
from stores import open_changes

from serving.bundle.format import Bundle
from serving.http.routes import create_app
from serving.live.changes import Changes
from serving.live.served import Served, ServingState
from serving.settings import ServingSettings

pytestmark = pytest.mark.fast

EVENT = {"customer": "new-1", "product": "tea-1", "kind": "purchase"}
HISTORY = "/v1/customers/new-1/history"


@pytest.fixture
def state(tmp_path: Path) -> ServingState:
    return ServingState(changes=open_changes(tmp_path))


@pytest.fixture
def early(state: ServingState) -> Client:
    return DocumentedClient(create_app(state, bundles.KEY))


def bought(client: Client) -> list[str]:
    return [item["product"] for item in client.get(HISTORY).json()["items"]]


def test_events_are_accepted_and_count_later(early: Client, state: ServingState, bundle: Bundle) -> None:
    answer = early.post("/v1/events", json=EVENT)
    assert (answer.status_code, answer.json()) == (200, {"model": None, "accepted": 1, "unknown": 0})
    assert "Nightshelf-Model-Version" not in answer.headers
    state.served = Served("7", bundle)
    assert bought(early) == ["tea-1"]
    assert early.post("/v1/events", json=EVENT).json()["model"] == {"version": "7"}


def test_a_customer_can_be_forgotten(early: Client, state: ServingState, bundle: Bundle) -> None:
    early.post("/v1/events", json=EVENT)
    answer = early.delete("/v1/customers/new-1")
    assert answer.json() == {"model": None, "forgotten": True, "events": 1}
    state.served = Served("7", bundle)
    assert bought(early) == []


def test_what_needs_a_model_says_that_there_is_none(early: Client) -> None:
    for answer in (early.put("/v1/products/tea-1", json={"stock": 0}), early.get("/v1/popular")):
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "no_model")


def test_nothing_is_accepted_before_the_store_has_answered(tmp_path: Path) -> None:
    state = ServingState(changes=Changes(ServingSettings(home=tmp_path)))
    answer = DocumentedClient(create_app(state, bundles.KEY)).post("/v1/events", json=EVENT)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "no_store")
    assert "not answered yet" in answer.json()["error"]["message"]
