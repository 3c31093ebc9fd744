"""Operations of the real service: metrics of several workers, shutdown, traces and API keys."""

import http.server
import json
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import bundles
import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from processes import SERVE, Service, environment, service, two_workers, wait_for

from serving.access import keys
from serving.bundle.format import Bundle
from serving.settings import ServingSettings

CUSTOMER = "/v1/customers/+7(916)539-6205/recommendations"
ROUTE = "/v1/customers/{customer}/recommendations"
CLIENT = """
import json, sys, bentoml
url, token, query = sys.argv[1:]
try:
    with bentoml.SyncHTTPClient(url, token=token) as client:
        print(json.dumps(client.recommend(**json.loads(query))))
except Exception as error:
    print(error)
"""
ID_FRAGMENTS = ("9165396205", "539-6205", "916%29539")


def sample(text: str, name: str, **labels: str) -> float:
    """Returns the sum of a metric's samples with these labels."""
    lines = re.findall(rf"^{name}(?:{{(.*)}})? (\S+)$", text, re.MULTILINE)
    return sum(
        float(value)
        for present, value in lines
        if all(f'{label}="{expected}"' in present for label, expected in labels.items())
    )


def status_over_new_connection(address: str, headers: dict[str, str]) -> int:
    """Returns the status of a request over a connection of its own."""
    return httpx.get(address, headers=headers).status_code


@pytest.fixture
def published(settings: ServingSettings, uri: str, bundle: Bundle, tmp_path: Path) -> str:
    """The version of the small bundle, now the champion."""
    return bundles.publish(uri, bundle, tmp_path)


def test_two_workers_share_keys_metrics_and_the_access_log(
    settings: ServingSettings, uri: str, bundle: Bundle, tmp_path: Path, published: str
) -> None:
    reader = {"Authorization": f"Bearer {keys.add(settings.keys_path, 'shop', 'read')}"}
    with two_workers(settings.home) as up:
        assert httpx.get(f"{up.url}/v1/model").status_code == 401
        with ThreadPoolExecutor(8) as pool:
            statuses = list(pool.map(status_over_new_connection, [up.url + CUSTOMER] * 100, [reader] * 100))
        assert {*statuses} == {200}
        assert httpx.get(f"{up.url}/metrics").status_code == 401
        metrics = httpx.get(f"{up.url}/metrics", headers=reader).text
        by_route = {"route": ROUTE, "method": "GET", "status": "200"}
        assert sample(metrics, "nightshelf_request_seconds_count", **by_route) == 100
        assert sample(metrics, "nightshelf_request_seconds_bucket", **by_route, le="+Inf") == 100
        assert sample(metrics, "nightshelf_answers_total", lane="for-you", known="true") == 100
        assert sample(metrics, "nightshelf_items_total", kind="repurchase") == 200
        assert sample(metrics, "nightshelf_model_info", version=published) == 1

        second = bundles.publish(uri, bundle, tmp_path)

        def live() -> tuple[float, float]:
            text = httpx.get(f"{up.url}/metrics", headers=reader).text
            return tuple(
                sample(text, "nightshelf_model_info", version=version) for version in (published, second)
            )

        bundles.wait_until(lambda: live() == (0, 1), 10)
        bundles.wait_until(
            lambda: up.log.read_text().count(f"version {second} is live") == 2, 10
        )  # in both workers
        log = up.log.read_text()
        lines = [json.loads(line) for line in log.splitlines() if line.startswith('{"time"')]
        of_customer = [line for line in lines if line["route"] == ROUTE]
        assert len(of_customer) == 100
        assert {(line["status"], line["version"], line["key"]) for line in of_customer} == {
            (200, published, "shop")
        }
        assert [fragment for fragment in ID_FRAGMENTS if fragment in log + metrics] == []


def test_answers_requests_in_flight_before_it_stops(settings: ServingSettings, published: str) -> None:
    with service(settings.home) as up:
        wait_for(f"{up.url}/readyz", 200, up.process)
        address = urlsplit(up.url)
        body = json.dumps({"user_id": bundles.ANNA}).encode()
        head = f"POST /reco HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n\r\n"
        with socket.create_connection((address.hostname, address.port), timeout=20) as slow:
            slow.sendall(head.encode() + body[:5])
            time.sleep(0.5)
            up.process.terminate()
            bundles.wait_until(lambda: refuses(address.hostname or "", address.port or 0), 10)
            slow.sendall(body[5:])
            answer = b"".join(iter(lambda: slow.recv(100_000), b"")).decode()
        assert answer.startswith("HTTP/1.1 200 OK")
        assert "coffee-1" in answer
        assert up.process.wait(20) == 0


def refuses(host: str, port: int) -> bool:
    """Returns whether a new connection gets no answer."""
    try:
        return httpx.get(f"http://{host}:{port}/livez", timeout=0.5).status_code == 0
    except httpx.TransportError:
        return True


@contextmanager
def collector() -> Iterator[tuple[str, list[bytes]]]:
    """Yields the address of a trace collector (OTLP over HTTP) and the bodies that it receives."""
    sent: list[bytes] = []

    class Collector(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            sent.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Collector) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/v1/traces", sent
        finally:
            server.shutdown()
            thread.join()


def test_traces_name_routes_and_no_customer(settings: ServingSettings, published: str) -> None:
    with collector() as (address, sent):
        with service(settings.home, trace_url=address) as up:
            wait_for(f"{up.url}/readyz", 200, up.process)
            assert httpx.get(up.url + CUSTOMER, params={"exclude": "79165396205"}).status_code == 200
            up.process.terminate()
            up.process.wait(20)
        spans = [
            span
            for body in sent
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]
        assert f"GET {ROUTE}" in {span.name for span in spans}
        assert [
            fragment for fragment in ID_FRAGMENTS if any(fragment.encode() in body for body in sent)
        ] == []


def test_bentoml_s_client_gets_recommendations_for_many_customers(
    settings: ServingSettings, published: str
) -> None:
    secret = keys.add(settings.keys_path, "shop", "read")
    with service(settings.home) as up:
        wait_for(f"{up.url}/readyz", 200, up.process)
        answer = json.loads(
            recommended_by_client(up, secret, customers=[bundles.ANNA, bundles.UNKNOWN_CUSTOMER], n=2)
        )
        assert_same_as_one_by_one(up, answer, secret)
        assert "lane: Input should be" in recommended_by_client(
            up, secret, customers=[bundles.ANNA], lane=bundles.ANNA
        )
        assert "customers: List should have at least 1" in recommended_by_client(up, secret, customers=[])
        assert "Failed to fetch schema" in recommended_by_client(up, "another", customers=[bundles.ANNA])
        assert "Traceback" not in up.log.read_text()
        assert [fragment for fragment in ID_FRAGMENTS if fragment in up.log.read_text()] == []


def recommended_by_client(up: Service, secret: str, **query: object) -> str:
    """Returns the answer to BentoML's client, run in a process of its own, or its error, as text."""
    return subprocess.run(
        [sys.executable, "-c", CLIENT, up.url, secret, json.dumps(query)],
        check=True,
        capture_output=True,
        text=True,
    ).stdout


def assert_same_as_one_by_one(up: Service, answer: dict[str, Any], secret: str) -> None:
    single = [
        httpx.get(
            f"{up.url}/v1/customers/{customer}/recommendations",
            params={"n": 2},
            headers={"Authorization": f"Bearer {secret}"},
        ).json()
        for customer in (bundles.ANNA, bundles.UNKNOWN_CUSTOMER)
    ]
    shared = {"model": single[0]["model"], "lane": "for-you"}
    assert [listing | shared for listing in answer["customers"]] == single
    assert answer == shared | {"customers": answer["customers"]}


def test_refuses_to_start_open_to_other_machines_without_a_key(tmp_path: Path) -> None:
    env = environment(tmp_path, customer_key=bundles.KEY, host="0.0.0.0")
    result = subprocess.run(
        SERVE, check=False, env=env, cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert result.returncode != 0
    assert "NIGHTSHELF_HOST=0.0.0.0 is open to other machines and there is no API key" in result.stderr
    assert "nightshelf keys add" in result.stderr
    assert "Traceback" not in result.stdout + result.stderr
