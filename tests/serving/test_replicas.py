"""Two replicas behind the proxy, on a real PostgreSQL: each of the three servers is killed under load."""

import csv
import io
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import bundles
import httpx
import psutil
import pytest
import sqlalchemy as sa
from clusters import kill, parts, process_of, until
from homes import in_soak

from pipelines.settings import Settings
from serving.bundle.format import Bundle
from serving.live.identity import keyed_hash
from serving.live.store import Store
from serving.live.tables import events
from serving.settings import ServingSettings

PROGRAMS = ("postgresql", "replica-1", "replica-2", "proxy")
CART = ("POST", "/v1/cart/recommendations", {"cart": ["coffee-1"]})
MANY = ("POST", "/v1/recommendations", {"customers": [keyed_hash(bundles.ANNA, bundles.KEY)] * 1000})
REQUESTS = (
    ("GET", f"/v1/customers/{bundles.ANNA}/recommendations", None),
    ("GET", "/v1/popular", None),
    CART,
    MANY,
)
CONNECTIONS = 6


@pytest.fixture
def replicated(
    settings: ServingSettings, uri: str, bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Settings]:
    """A cluster with two replicas that both have the model."""
    bundles.publish(uri, bundle, tmp_path)
    variables = {"NIGHTSHELF_CUSTOMER_KEY": bundles.KEY, "NIGHTSHELF_MLFLOW_URI": uri}
    with parts(settings.home, monkeypatch, *PROGRAMS, **variables) as cluster:
        until(lambda: ready(cluster) == 2)
        yield cluster


def proxy_statistics(settings: Settings) -> dict[tuple[str, str], dict[str, str]]:
    """Returns the proxy's statistics, by proxy and server."""
    text = httpx.get(f"http://127.0.0.1:{settings.proxy_stats_port}/;csv").text.removeprefix("# ")
    return {(row["pxname"], row["svname"]): row for row in csv.DictReader(io.StringIO(text))}


def ready(settings: Settings) -> int:
    """Returns the number of replicas that the proxy considers ready."""
    servers = [
        row for (name, _), row in proxy_statistics(settings).items() if name == "ready" and row["type"] == "2"
    ]
    return sum(row["status"].startswith("UP") for row in servers)


@contextmanager
def load(url: str) -> Iterator[Counter[str]]:
    """Sends requests over several connections until the block ends; counts answers by status or error."""
    outcomes: Counter[str] = Counter()
    ended = threading.Event()

    def request() -> None:
        with httpx.Client(base_url=url, timeout=30) as client:
            while not ended.is_set():
                for method, path, body in REQUESTS:
                    try:
                        outcomes[str(client.request(method, path, json=body).status_code)] += 1
                    except httpx.TransportError as error:
                        outcomes[f"{type(error).__name__} at {path}"] += 1

    threads = [threading.Thread(target=request) for _ in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    try:
        yield outcomes
    finally:
        ended.set()
        for thread in threads:
            thread.join()


@in_soak
def test_no_request_fails_when_a_replica_or_the_database_is_killed(replicated: Settings) -> None:
    url = f"http://127.0.0.1:{replicated.serving_port}"
    with load(url) as outcomes:
        for name in PROGRAMS[:3]:
            until(lambda before=outcomes["200"]: outcomes["200"] > before + 200)
            until(lambda event=name: is_accepted(url, event))
            killed = kill(replicated.home, name)
            until(lambda program=name, before=killed: has_restarted(replicated, program, before))
            until(lambda: ready(replicated) == 2)
        until(lambda: is_accepted(url, "the last"))
    statistics = proxy_statistics(replicated)
    frontend, retries = statistics["service", "FRONTEND"], statistics["ready", "BACKEND"]["wretr"]
    print(f"{frontend['req_tot']} requests, {retries} of them retried by the proxy: {dict(outcomes)}")
    assert outcomes.keys() == {"200"}
    assert frontend["hrsp_4xx"] == "0"
    store = Store(replicated.store_address)
    with store.reading() as connection:
        stored = set(connection.execute(sa.select(events.c.id)).scalars())
    store.close()
    assert stored == {keyed_hash(name, bundles.KEY) for name in (*PROGRAMS[:3], "the last")}


def is_accepted(url: str, name: str) -> bool:
    """Sends an event and returns whether it was accepted; without the database it isn't."""
    event = {"customer": bundles.BORIS, "product": "coffee-2", "kind": "purchase", "id": name}
    return httpx.post(f"{url}/v1/events", json=event).status_code == httpx.codes.OK


def has_restarted(settings: Settings, name: str, before: psutil.Process) -> bool:
    now = process_of(settings.home, name)
    return now is not None and now.pid != before.pid
