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

from pipelines.settings import Settings
from serving.bundle import Bundle
from serving.identity import hidden
from serving.settings import ServingSettings
from serving.store import Store, events

PROGRAMS = ("postgresql", "replica-1", "replica-2", "proxy")
CART = ("POST", "/v1/cart/recommendations", {"products": ["coffee-1"]})
ASKED = (("GET", f"/v1/customers/{bundles.ANNA}/recommendations", None), ("GET", "/v1/popular", None), CART)
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
def asking(url: str) -> Iterator[Counter[int]]:
    """Asks over some connections until the block ends; counts the answers by status, 0 for none."""
    seen: Counter[int] = Counter()
    over = threading.Event()

    def ask() -> None:
        with httpx.Client(base_url=url, timeout=30) as client:
            while not over.is_set():
                for method, path, body in ASKED:
                    try:
                        seen[client.request(method, path, json=body).status_code] += 1
                    except httpx.TransportError:
                        seen[0] += 1

    threads = [threading.Thread(target=ask) for _ in range(ASKING)]
    for thread in threads:
        thread.start()
    yield seen
    over.set()
    for thread in threads:
        thread.join()


def test_nobody_notices_a_killed_replica_or_a_killed_database(replicated: Settings) -> None:
    url = f"http://127.0.0.1:{replicated.serving_port}"
    told = []
    with asking(url) as seen:
        for name in ("replica-1", "replica-2", "postgresql"):
            until(lambda: seen[200] > 200)
            bought = {"customer": bundles.BORIS, "product": "coffee-2", "kind": "purchase", "id": name}
            assert httpx.post(f"{url}/v1/events", json=bought).status_code == 200
            told.append(name)
            gone = kill(replicated.home, name)
            until(lambda one=name, before=gone: came_back(replicated, one, before))
            until(lambda: ready(replicated) == 2)
            seen[200] = 0
    counted = state(replicated)
    front = counted["service", "FRONTEND"]
    print(f"{front['req_tot']} requests, {counted['ready', 'BACKEND']['wretr']} asked again,")
    assert dict(seen).keys() == {200}
    assert {kind: int(front[f"hrsp_{kind}"]) for kind in ("4xx", "5xx", "other")} == dict.fromkeys(
        ("4xx", "5xx", "other"), 0
    )
    store = Store(replicated.store_address)
    with store.engine.connect() as connection:
        kept = set(connection.execute(sa.select(events.c.id)).scalars())
    assert kept == {hidden(name, bundles.KEY) for name in told}


def came_back(settings: Settings, name: str, before: psutil.Process) -> bool:
    now = process_of(settings.home, name)
    return now is not None and now.pid != before.pid
