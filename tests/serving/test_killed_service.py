"""The real service with two workers: they share events and changes, and a kill loses no accepted event."""

import threading
from pathlib import Path

import bundles
import httpx
import psutil
import pytest
import sqlalchemy as sa
from processes import Service, http, two_workers

from serving.bundle.format import Bundle
from serving.live.identity import keyed_hash
from serving.live.store import Store
from serving.live.tables import events
from serving.settings import ServingSettings

ANNA = f"/v1/customers/{bundles.ANNA}"
CONNECTIONS = 40  # enough that each worker gets some


@pytest.fixture
def published(settings: ServingSettings, uri: str, bundle: Bundle, tmp_path: Path) -> Path:
    bundles.publish(uri, bundle, tmp_path)
    return settings.home


def kill(up: Service) -> None:
    """Kills the service and its workers, which run in sessions of their own."""
    service = psutil.Process(up.process.pid)
    for process in (*service.children(recursive=True), service):
        process.kill()


def get_from_all_workers(up: Service, path: str) -> list[httpx.Response]:
    """Returns answers over many connections, so that every worker gives some."""
    answers = [http.get(f"{up.url}{path}") for _ in range(CONNECTIONS)]
    assert {answer.status_code for answer in answers} == {200}
    return answers


def test_every_worker_applies_what_one_worker_accepted(published: Path) -> None:
    with two_workers(published) as up:
        for number in range(1, 6):
            event = {"customer": bundles.ANNA, "product": "tea-2", "kind": "purchase"}
            assert http.post(f"{up.url}/v1/events", json=event).status_code == 200
            items = [answer.json()["items"][0] for answer in get_from_all_workers(up, f"{ANNA}/history")]
            assert {(item["product"], item["orders"]) for item in items} == {("tea-2", number)}

        assert http.put(f"{up.url}/v1/products/coffee-1", json={"stock": 0}).status_code == 200

        def sold_out() -> bool:
            return all("coffee-1" not in answer.text for answer in get_from_all_workers(up, "/v1/popular"))

        bundles.wait_until(sold_out, 10)
        assert http.delete(f"{up.url}{ANNA}").json()["events"] == 5

        def unknown() -> bool:
            return not any(
                answer.json()["known"] for answer in get_from_all_workers(up, f"{ANNA}/recommendations")
            )

        bundles.wait_until(unknown, 10)
        log = up.log.read_text()
        assert "9165396205" not in log
        assert "539-6205" not in log
        assert "/v1/customers/{customer}" in log
    with two_workers(published) as up:
        assert sold_out()
        assert unknown()


def test_every_accepted_event_survives_a_kill(published: Path) -> None:
    accepted: list[str] = []

    def send_events(worker: int, url: str) -> None:
        with httpx.Client() as client:
            for number in range(1_000_000):
                name = f"{worker}-{number}"
                body = {"customer": bundles.BORIS, "product": "coffee-2", "kind": "purchase", "id": name}
                try:
                    answer = client.post(f"{url}/v1/events", json=body)
                except httpx.TransportError:
                    return
                if answer.status_code == 200:
                    accepted.append(name)

    with two_workers(published) as up:
        threads = [threading.Thread(target=send_events, args=(worker, up.url)) for worker in range(8)]
        for thread in threads:
            thread.start()
        bundles.wait_until(lambda: len(accepted) > 1000, 60)
        kill(up)
        for thread in threads:
            thread.join()
    print(len(accepted), "events were accepted")
    with two_workers(published) as up:
        history = http.get(f"{up.url}/v1/customers/{bundles.BORIS}/history").json()
        assert "coffee-2" in [item["product"] for item in history["items"]]
        store = Store(f"sqlite:///{published / '.nightshelf' / 'store.db'}")
        with store.reading() as connection:
            stored = set(connection.execute(sa.select(events.c.id)).scalars())
    assert {keyed_hash(name, bundles.KEY) for name in accepted} <= stored
    assert len(stored) <= len(accepted) + 8  # each thread may have had one more in flight
