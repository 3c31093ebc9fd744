"""The store keeps within bounds, counted by event: per customer, per key, in all, and of known products."""

from collections.abc import Iterator
from pathlib import Path

import bundles
import httpx
import pytest
import sqlalchemy as sa
from browsing import running_service
from processes import Service
from stores import client_for, open_changes

from serving.access import keys
from serving.bundle.format import Bundle
from serving.live import changes as changes_module
from serving.live import erasures, events
from serving.live.changes import Changes
from serving.live.events import MOST_PER_CUSTOMER, MOST_VISITS, VIEW_RETENTION_DAYS, Event, TooManyEventsError
from serving.live.store import MICROSECONDS_PER_DAY, now_microseconds
from serving.live.tables import events as table

ANNA = "a" * 64


def stored(changes: Changes) -> int:
    with changes.store.reading() as connection:
        return int(connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one())


def sent(product: str = "tea-1", kind: str = "view", customer: object = "1") -> dict[str, str]:
    return {"customer": str(customer), "product": product, "kind": kind}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def writer(home: Path) -> dict[str, str]:
    return {"Authorization": f"Bearer {keys.add(home / 'keys', 'cron', 'write')}"}


@pytest.fixture(scope="module")
def up(home: Path, writer: dict[str, str]) -> Iterator[Service]:
    with running_service(home, bundles.small()) as service:
        yield service


def test_one_write_key_adds_no_flood_of_events(up: Service, writer: dict[str, str], home: Path) -> None:
    def flood(product: str) -> list[httpx.Response]:
        with httpx.Client(base_url=up.url, headers=writer, timeout=60) as client:
            bodies = ([sent(product, customer=f"{product} {number}")] * 1000 for number in range(20))
            return [client.post("/v1/events", json=body) for body in bodies]

    answers = flood("no such product")
    assert stored(open_changes(home)) == 1_000
    answers += flood("tea-1")
    refused = [answer for answer in answers if answer.status_code == 429]
    assert len(refused) > 20
    assert 1 <= int(refused[0].headers["Retry-After"]) <= 2
    assert stored(open_changes(home)) <= 1_000 * (len(answers) - len(refused))
    assert httpx.get(f"{up.url}/v1/popular", headers=writer).status_code == 200


@pytest.fixture
def changes(tmp_path: Path) -> Changes:
    return open_changes(tmp_path, event_limit=20_000)


def test_few_events_of_unknown_products_are_stored(bundle: Bundle, changes: Changes) -> None:
    client = client_for(bundle, changes)
    answer = client.post("/v1/events", json=[sent("no such product"), sent("x", "purchase")] * 500).json()
    assert (answer["accepted"], answer["unknown"]) == (1000, 0)
    answer = client.post("/v1/events", json=[sent("no such product"), sent()]).json()
    assert (answer["accepted"], answer["unknown"], stored(changes)) == (1, 1, 1001)


def test_the_latest_visits_of_a_customer_are_kept_and_all_purchases(changes: Changes) -> None:
    now = now_microseconds()
    events.add(changes.store, [Event(ANNA, "tea-1", "purchase", now - 10_000)] * 10)
    events.add(changes.store, [Event("b" * 64, "tea-1", "view", now)] * 10)
    for part in range(5):
        visits = [
            Event(ANNA, f"{part} {number}", "view", now + part * 1000 + number) for number in range(900)
        ]
        events.add(changes.store, visits)
    assert stored(changes) == 10 + 10 + MOST_VISITS
    assert changes.events(ANNA)[0].product == "4 899"


def test_no_customer_has_more_events_than_a_person(changes: Changes) -> None:
    purchases = [Event(ANNA, "tea-1", "purchase", now_microseconds())] * 1000
    for _ in range(MOST_PER_CUSTOMER // 1000):
        events.add(changes.store, purchases)
    with pytest.raises(TooManyEventsError, match=f"{MOST_PER_CUSTOMER:,}"):
        events.add(changes.store, purchases)
    assert stored(changes) == MOST_PER_CUSTOMER


def test_a_full_store_refuses_events_and_says_so(bundle: Bundle, changes: Changes) -> None:
    client = client_for(bundle, changes)
    many = [[sent("tea-1", "purchase", f"c {part} {number}") for number in range(1000)] for part in range(25)]
    statuses = [client.post("/v1/events", json=body).status_code for body in many]
    assert (statuses.count(200), statuses.count(503)) == (20, 5)
    assert stored(changes) == 20_000
    answer = client.post("/v1/events", json=sent())
    assert answer.json()["error"]["code"] == "store_full"
    assert "NIGHTSHELF_EVENT_LIMIT" in answer.json()["error"]["message"]


def test_old_visits_are_deleted_without_a_nightly_run(
    changes: Changes, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = now_microseconds() - (VIEW_RETENTION_DAYS + 1) * MICROSECONDS_PER_DAY
    events.add(changes.store, [Event(ANNA, "tea-1", kind, old) for kind in ("view", "cart", "purchase")])
    changes._poll()
    assert [event.kind for event in changes.events(ANNA)] == ["purchase"]
    events.add(changes.store, [Event(ANNA, "tea-1", "view", old)])
    changes._poll()
    assert stored(changes) == 2  # at most once an hour
    monkeypatch.setattr(changes_module, "PRUNE_SECONDS", 0.0)
    changes._prune_at = 0.0
    changes._poll()
    assert stored(changes) == 1


def test_events_after_a_forgetting_count_even_if_the_clock_was_set_back(
    bundle: Bundle, changes: Changes
) -> None:
    client, customer = client_for(bundle, changes), "who returns"
    name = httpx.URL(f"/v1/customers/{customer}").raw_path.decode()
    assert client.delete(name).status_code == 200
    in_a_day = now_microseconds() + MICROSECONDS_PER_DAY  # the clock of the forgetting was a day ahead
    (pseudonym,) = erasures.times(changes.store)
    erasures.add(changes.store, {pseudonym: in_a_day})
    changes.refresh()
    assert client.post("/v1/events", json=sent("tea-1", "purchase", customer)).json()["accepted"] == 1
    history = client.get(f"{name}/history").json()
    assert [item["product"] for item in history["items"]] == ["tea-1"]
