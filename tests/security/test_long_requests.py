"""Requests for many customers delay others little, end when their client has gone, and stay within bounds."""

import concurrent.futures
import json
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import bundles
import httpx
import numpy as np
import psutil
import pytest
import random_bundles
from browsing import running_service
from limits import scaled
from ports import free_ports
from processes import Service, running, wait_for
from raw_http import connect, exchange, request, status

from serving.bundle.format import Bundle, texts
from serving.live.identity import pseudonym

PRODUCTS, CUSTOMERS = 2000, 1000
HAPROXY = Path(__file__).parents[2] / "docker" / "haproxy.cfg"
ATTACKERS = 4
ONE = "/v1/customers/1/recommendations"
BATCH = "/v1/recommendations"


def many(n: int, customers: int = CUSTOMERS) -> bytes:
    body = json.dumps({"customers": [str(number + 1) for number in range(customers)], "n": n}).encode()
    return request(BATCH, "POST", body)


def shop(seed: int) -> Bundle:
    names = sorted(pseudonym(str(number + 1), bundles.KEY) for number in range(CUSTOMERS))
    drawn = random_bundles.draw(np.random.default_rng(seed), PRODUCTS, CUSTOMERS)
    return replace(drawn, customers=texts(names))


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_service(tmp_path_factory.mktemp("home"), shop(1), event_rate=0) as service:
        yield service


def cpu_seconds(up: Service) -> float:
    """Returns the processor time of the workers so far."""
    processes = psutil.Process(up.process.pid).children(recursive=True)
    return sum(sum(process.cpu_times()[:2]) for process in processes)


def p90_milliseconds(up: Service, requests: int = 100) -> float:
    with httpx.Client(base_url=up.url, timeout=60) as client:
        durations = []
        for _ in range(requests):
            started = time.perf_counter()
            assert client.get(ONE).status_code == 200
            durations.append(time.perf_counter() - started)
            time.sleep(0.01)
    return 1000 * float(np.quantile(durations, 0.9))


def test_others_are_answered_between_the_parts_of_long_requests(up: Service) -> None:
    quiet = p90_milliseconds(up)
    with concurrent.futures.ThreadPoolExecutor(ATTACKERS) as pool:
        attacks = [pool.submit(exchange, up.url, many(10), 120) for _ in range(ATTACKERS)]
        time.sleep(0.2)
        attacked = p90_milliseconds(up)
        answers = {status(attack.result()) for attack in attacks}
    print(f"p90 {quiet:.1f} ms, beside {ATTACKERS} long requests {attacked:.1f} ms")
    assert answers <= {200, 503}
    assert attacked < max(4 * quiet, scaled(20))


def test_a_long_request_ends_when_its_client_has_gone(up: Service) -> None:
    before = cpu_seconds(up)
    assert status(exchange(up.url, many(10), 120)) == 200
    whole, before = cpu_seconds(up) - before, cpu_seconds(up)
    for _ in range(10):
        with connect(up.url) as connection:
            connection.sendall(many(10))
            time.sleep(0.05)
    time.sleep(2)
    assert httpx.get(up.url + ONE, timeout=60).status_code == 200
    assert cpu_seconds(up) - before < 5 * whole
    assert "failed" not in up.log.read_text()


@pytest.fixture
def proxied(up: Service) -> Iterator[str]:
    """The address of the proxy before the service."""
    if not (haproxy := shutil.which("haproxy", path=f"{os.environ['PATH']}:/usr/sbin")):
        pytest.skip("HAProxy is not installed: sudo apt-get install haproxy")
    bind, stats = (f"127.0.0.1:{port}" for port in free_ports(2))
    replica = up.url.removeprefix("http://")
    settings = {"PROXY_BIND": bind, "PROXY_STATS_BIND": stats, "REPLICA_1": replica, "REPLICA_2": replica}
    env = {f"NIGHTSHELF_{name}": value for name, value in settings.items()}
    with running([haproxy, "-f", HAPROXY], env, up.log.with_name("proxy.log")) as process:
        wait_for(f"http://{bind}/readyz", 200, process)
        yield f"http://{bind}"


def test_a_long_request_ends_when_its_client_has_left_the_proxy(up: Service, proxied: str) -> None:
    before = cpu_seconds(up)
    assert status(exchange(proxied, many(10), 120)) == 200
    whole, before = cpu_seconds(up) - before, cpu_seconds(up)
    for _ in range(10):
        with connect(proxied) as connection:
            connection.sendall(many(10))
            time.sleep(0.1)
    time.sleep(2)
    assert cpu_seconds(up) - before < 5 * whole


def test_more_items_than_one_request_may_ask_for_are_refused(up: Service) -> None:
    answer = exchange(up.url, many(100))
    assert status(answer) == 400
    assert b'"field":"customers"' in answer
    assert status(exchange(up.url, many(100, customers=100), 120)) == 200


def test_a_body_of_many_customers_is_parsed_beside_others(up: Service) -> None:
    event = {"customer": "+7 (916) 539-62-05", "product": "00001", "kind": "view"}
    body = json.dumps([event] * 1000).encode()
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        attacks = [pool.submit(exchange, up.url, request("/v1/events", "POST", body), 60) for _ in range(6)]
        assert p90_milliseconds(up, 30) < scaled(100)
        assert {status(attack.result()) for attack in attacks} == {200}


def test_an_id_of_any_length_is_answered_at_once(up: Service) -> None:
    slow = "a" + "\u0301\u0316" * 100_000  # normalising it takes minutes
    body = json.dumps({"user_id": slow}, ensure_ascii=False).encode()
    assert status(exchange(up.url, request("/reco", "POST", body), scaled(5))) == 200


def test_the_parts_make_the_same_answer_as_single_requests(up: Service) -> None:
    ids = ["1", "2", "unknown", "3"]
    body = {"customers": ids, "n": 7, "exclude": ["00001"], "group": "France"}
    answer = httpx.post(f"{up.url}{BATCH}", json=body).json()
    single = [
        httpx.get(
            f"{up.url}/v1/customers/{name}/recommendations",
            params={"n": 7, "exclude": "00001", "group": "France"},
        ).json()
        for name in ids
    ]
    shared = {"model": answer["model"], "lane": answer["lane"]}
    assert [shared | listing for listing in answer["customers"]] == single
