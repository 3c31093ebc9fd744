"""Two replicas behind the proxy, on a real PostgreSQL: each of the three is killed under load."""

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
from serving.live.identity import hidden
from serving.live.store import Store, events
from serving.settings import ServingSettings

PROGRAMS = ("postgresql", "replica-1", "replica-2", "proxy")
CART = ("POST", "/v1/cart/recommendations", {"cart": ["coffee-1"]})
MANY = ("POST", "/v1/recommendations", {"customers": [hidden(bundles.ANNA, bundles.KEY)] * 1000})
ASKED = (
    ("GET", f"/v1/customers/{bundles.ANNA}/recommendations", None),
    ("GET", "/v1/popular", None),
    CART,
    MANY,
)
ASKING = 6  # connections


@pytest.fixture
def replicated(
    settings: ServingSettings, uri: str, bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Settings]:
    """Two replicas that both have the model."""
    bundles.publish(uri, bundle, tmp_path)
    given = {"NIGHTSHELF_CUSTOMER_KEY": bundles.KEY, "NIGHTSHELF_MLFLOW_URI": uri}
    with parts(settings.home, monkeypatch, *PROGRAMS, **given) as found:
        until(lambda: ready(found) == 2)
        yield found


def state(settings: Settings) -> dict[tuple[str, str], dict[str, str]]:
    """What the proxy counts, by frontend or backend and server."""
    text = httpx.get(f"http://127.0.0.1:{settings.proxy_stats_port}/;csv").text.removeprefix("# ")
    return {(row["pxname"], row["svname"]): row for row in csv.DictReader(io.StringIO(text))}


def ready(settings: Settings) -> int:
    """How many replicas the proxy finds ready."""
    servers = [row for (name, _), row in state(settings).items() if name == "ready" and row["type"] == "2"]
    return sum(row["status"].startswith("UP") for row in servers)


@contextmanager
def asking(url: str) -> Iterator[Counter[str]]:
    """Asks over some connections until the block ends; counts what was answered, by status or error."""
    seen: Counter[str] = Counter()
    over = threading.Event()

    def ask() -> None:
        with httpx.Client(base_url=url, timeout=30) as client:
            while not over.is_set():
                for method, path, body in ASKED:
                    try:
                        seen[str(client.request(method, path, json=body).status_code)] += 1
                    except httpx.TransportError as error:
                        seen[f"{type(error).__name__} at {path}"] += 1

    threads = [threading.Thread(target=ask) for _ in range(ASKING)]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        over.set()
        for thread in threads:
            thread.join()


@in_soak
def test_nobody_notices_a_killed_replica_or_a_killed_database(replicated: Settings) -> None:
    url = f"http://127.0.0.1:{replicated.serving_port}"
    with asking(url) as seen:
        for name in PROGRAMS[:3]:
            until(lambda before=seen["200"]: seen["200"] > before + 200)
            until(lambda event=name: tell(url, event))
            gone = kill(replicated.home, name)
            until(lambda one=name, before=gone: came_back(replicated, one, before))
            until(lambda: ready(replicated) == 2)
        until(lambda: tell(url, "the last"))
    counted = state(replicated)
    asked, again = counted["service", "FRONTEND"], counted["ready", "BACKEND"]["wretr"]
    print(f"{asked['req_tot']} requests, of which {again} were asked again: {dict(seen)}")
    assert seen.keys() == {"200"}
    assert asked["hrsp_4xx"] == "0"
    store = Store(replicated.store_address)
    with store.engine.connect() as connection:
        kept = set(connection.execute(sa.select(events.c.id)).scalars())
    store.close()
    assert kept == {hidden(name, bundles.KEY) for name in (*PROGRAMS[:3], "the last")}


def tell(url: str, name: str) -> bool:
    """Whether an event was taken; while the database is away it isn't."""
    bought = {"customer": bundles.BORIS, "product": "coffee-2", "kind": "purchase", "id": name}
    return httpx.post(f"{url}/v1/events", json=bought).status_code == httpx.codes.OK


def came_back(settings: Settings, name: str, before: psutil.Process) -> bool:
    now = process_of(settings.home, name)
    return now is not None and now.pid != before.pid
