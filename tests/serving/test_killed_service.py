"""The real service with two workers: what one is told the other answers, and a kill loses nothing told."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import bundles
import httpx
import psutil
import pytest
import sqlalchemy as sa
from processes import SERVE, Service, service

from serving.bundle.format import Bundle
from serving.live.identity import keyed_hash
from serving.live.store import Store, events
from serving.settings import ServingSettings

WORKERS = '{"services": {"nightshelf": {"workers": 2}}}'
TWO = ("env", f"BENTOML_CONFIG_OVERRIDES={WORKERS}", *SERVE)
ANNA = f"/v1/customers/{bundles.ANNA}"
LIVE = "is live"
ASKED = 40  # connections, so that each worker gets some


@pytest.fixture
def published(settings: ServingSettings, uri: str, bundle: Bundle, tmp_path: Path) -> Path:
    bundles.publish(uri, bundle, tmp_path)
    return settings.home


@contextmanager
def two_workers(home: Path) -> Iterator[Service]:
    """The service once both workers have the model."""
    log = home / "service.log"
    before = log.read_text().count(LIVE) if log.exists() else 0
    with service(home, TWO) as up:
        bundles.wait_until(lambda: log.read_text().count(LIVE) == before + 2, 60)
        yield up


def kill(up: Service) -> None:
    """Ends the service and its workers, which are in sessions of their own, without a warning."""
    service = psutil.Process(up.process.pid)
    for process in (*service.children(recursive=True), service):
        process.kill()


def everywhere(up: Service, path: str) -> list[httpx.Response]:
    """Answers over connections of their own."""
    answers = [httpx.get(f"{up.url}{path}") for _ in range(ASKED)]
    assert {answer.status_code for answer in answers} == {200}
    return answers


def test_what_one_worker_is_told_every_worker_answers(published: Path) -> None:
    with two_workers(published) as up:
        for number in range(1, 6):
            bought = {"customer": bundles.ANNA, "product": "tea-2", "kind": "purchase"}
            assert httpx.post(f"{up.url}/v1/events", json=bought).status_code == 200
            found = [answer.json()["items"][0] for answer in everywhere(up, f"{ANNA}/history")]
            assert {(item["product"], item["orders"]) for item in found} == {("tea-2", number)}

        assert httpx.put(f"{up.url}/v1/products/coffee-1", json={"stock": 0}).status_code == 200

        def sold_out() -> bool:
            return all("coffee-1" not in one.text for one in everywhere(up, "/v1/popular"))

        bundles.wait_until(sold_out, 10)
        assert httpx.delete(f"{up.url}{ANNA}").json()["events"] == 5

        def unknown() -> bool:
            return not any(one.json()["known"] for one in everywhere(up, f"{ANNA}/recommendations"))

        bundles.wait_until(unknown, 10)
        log = up.log.read_text()
        assert "9165396205" not in log
        assert "539-6205" not in log
        assert "/v1/customers/{customer}" in log
    with two_workers(published) as up:
        assert sold_out()
        assert unknown()


def test_every_acknowledged_event_outlives_a_kill(published: Path) -> None:
    acknowledged: list[str] = []

    def tell(worker: int, url: str) -> None:
        with httpx.Client() as client:
            for number in range(1_000_000):
                name = f"{worker}-{number}"
                body = {"customer": bundles.BORIS, "product": "coffee-2", "kind": "purchase", "id": name}
                try:
                    answer = client.post(f"{url}/v1/events", json=body)
                except httpx.TransportError:
                    return
                if answer.status_code == 200:
                    acknowledged.append(name)

    with two_workers(published) as up:
        threads = [threading.Thread(target=tell, args=(worker, up.url)) for worker in range(8)]
        for thread in threads:
            thread.start()
        bundles.wait_until(lambda: len(acknowledged) > 1000, 60)
        kill(up)
        for thread in threads:
            thread.join()
    print(len(acknowledged), "events were acknowledged")
    with two_workers(published) as up:
        boris = httpx.get(f"{up.url}/v1/customers/{bundles.BORIS}/history").json()
        assert "coffee-2" in [item["product"] for item in boris["items"]]
        store = Store(f"sqlite:///{published / '.nightshelf' / 'store.db'}")
        with store.engine.connect() as connection:
            kept = set(connection.execute(sa.select(events.c.id)).scalars())
    assert {keyed_hash(name, bundles.KEY) for name in acknowledged} <= kept
    assert len(kept) <= len(acknowledged) + 8  # each thread had one more under way
