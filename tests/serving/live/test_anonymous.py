"""An id that stands for nobody is an anonymous visitor in every request, and never a customer."""

from dataclasses import replace

import bundles
import pytest
from stores import client_for, open_changes

from serving.live import erasures, events
from serving.live.events import Event
from serving.live.identity import IdentityRule, canonical, keyed_hash, manifest_entry, pseudonym
from serving.live.store import now_microseconds

NOBODIES = ["", "0", "0.0", "guest", "null", "None", "99999", "+7 (999) 999-99-99", "cashier 1"]


@pytest.fixture
def changes(tmp_path):
    changes = open_changes(tmp_path)
    yield changes
    changes.store.close()


def client_of(bundle, changes, rule):
    with_rule = replace(bundle, manifest=bundle.manifest | {"identity": manifest_entry(rule)})
    return client_for(with_rule, changes)


@pytest.fixture
def client(bundle, changes):
    return client_of(bundle, changes, IdentityRule(nobody=("cashier 1",)))


@pytest.mark.parametrize("customer", NOBODIES)
def test_an_event_for_nobody_is_refused_and_makes_no_customer(client, changes, customer):
    for body in ({"customer": customer}, {"customer": 0}):
        event = body | {"product": "p1", "kind": "purchase"}
        response = client.post("/v1/events", json=event)
        assert response.status_code == 400
        assert response.json()["error"]["field"] == "events.0.customer"
        assert customer not in response.json()["error"]["message"] or customer in ("", "0")
    assert events.customers(changes.store) == set()


@pytest.mark.parametrize("customer", NOBODIES)
def test_a_request_for_nobody_is_answered_as_for_an_anonymous_visitor(client, changes, customer):
    # as release 0.2 recorded it, after which every anonymous visitor was a known customer
    old = [
        Event(keyed_hash(text, bundles.KEY), "p1", "purchase", now_microseconds()) for text in ("", customer)
    ]
    events.add(changes.store, old)
    expected = client.get(f"/v1/customers/{bundles.UNKNOWN_CUSTOMER}/recommendations").json()
    assert expected["known"] is False
    assert client.get(f"/v1/customers/{customer}/recommendations").json() == expected
    history = client.get(f"/v1/customers/{customer}/history").json()
    assert (history["known"], history["items"]) == (False, [])
    batch = client.post("/v1/recommendations", json={"customers": [customer, bundles.ANNA]}).json()
    assert [answer["known"] for answer in batch["customers"]] == [False, True]
    cart = client.post("/v1/cart/recommendations", json={"customer": customer, "cart": []}).json()
    assert cart["known"] is False
    assert client.post("/reco", json={"user_id": customer}).status_code == 200
    assert client.get(f"/users/{customer}/recommendations").status_code == 200


@pytest.mark.parametrize("customer", NOBODIES[1:])
def test_nobody_cannot_be_forgotten(client, changes, customer):
    response = client.request("DELETE", f"/v1/customers/{customer}")
    assert response.status_code == 400
    assert response.json()["error"]["field"] == "customer"
    assert erasures.times(changes.store) == {}


def test_the_live_bundles_rule_reads_the_customer_of_a_request(bundle, changes):
    russian = client_of(bundle, changes, IdentityRule(country="RU"))
    assert russian.get("/v1/customers/8 916 539-62-05/recommendations").json()["known"] is True
    russian.post("/v1/events", json={"customer": "8 (916) 000-00-01", "product": "p1", "kind": "view"})
    assert events.customers(changes.store) == {pseudonym("+7 916 000-00-01", bundles.KEY)}
    plain = client_of(bundle, changes, IdentityRule(kind="id"))
    assert plain.get("/v1/customers/8 916 539-62-05/recommendations").json()["known"] is False
    assert plain.get(f"/v1/customers/{canonical(bundles.ANNA)}/recommendations").json()["known"] is True
    assert "identity" not in plain.get("/v1/model").json()
