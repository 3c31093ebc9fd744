"""The service under `bentoml serve`, in a process of its own."""

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import bundles
import httpx
import pytest
from processes import SERVE, Service, environment, service, status, wait_for

from serving.bundle.format import Bundle
from serving.settings import ServingSettings

CUSTOMERS = ["+7(916)539-6205", "79153706507", "%2B7%20%28905%29%20545-5709", "C-17-of-the-shop"]
ID_FRAGMENTS = ["9165396205", "539-6205", "9153706507", "545-5709", "9055455709", "C-17-of-the-shop"]


@contextmanager
def requesting(url: str) -> Iterator[list[tuple[int, str]]]:
    """Sends requests without a pause in the background; yields status and model version of each answer."""
    answers: list[tuple[int, str]] = []
    stopping = threading.Event()

    def request() -> None:
        with httpx.Client() as client:
            while not stopping.is_set():
                response = client.get(url)
                answers.append((response.status_code, response.headers["Nightshelf-Model-Version"]))

    thread = threading.Thread(target=request)
    thread.start()
    try:
        yield answers
    finally:
        stopping.set()
        thread.join()


def request_every_route(up: Service) -> None:
    """Sends every customer id to every route, with errors too, so that metrics and log have seen them all."""
    for customer in CUSTOMERS:
        assert status(f"{up.url}/v1/customers/{customer}/recommendations?n=3") == 200
        assert status(f"{up.url}/v1/customers/{customer}/recommendations?customer={customer}") == 400
        assert status(f"{up.url}/v1/customers/{customer}/recommendations/") == 404
        assert status(f"{up.url}/v1/products/{customer}/similar") == 404
        assert status(f"{up.url}/users/{customer}/recommendations") == 200
        assert status(f"{up.url}/{customer}") == 404
        assert httpx.post(f"{up.url}/reco", json={"user_id": customer}).status_code == 200
        assert httpx.post(f"{up.url}/reco", content=f"[{customer}").status_code == 400


def assert_no_customer_is_named(up: Service) -> None:
    metrics, log = httpx.get(f"{up.url}/metrics").text, up.log.read_text()
    for text in (metrics, log):
        assert "/v1/customers/{customer}/recommendations" in text  # the requests were recorded
        assert [fragment for fragment in ID_FRAGMENTS if fragment in text] == []
    assert 'route="/unknown"' in metrics


def test_serves_follows_a_promotion_and_restarts_without_its_registry(
    settings: ServingSettings, uri: str, bundle: Bundle, tmp_path: Path
) -> None:
    with service(settings.home) as up:
        assert status(f"{up.url}/readyz") == 503
        no_model = httpx.get(f"{up.url}/v1/model")
        assert (no_model.status_code, no_model.json()["error"]["code"]) == (503, "no_model")

        bundles.publish(uri, bundle, tmp_path)
        assert wait_for(f"{up.url}/readyz", 200, up.process) < 10

        with requesting(f"{up.url}/v1/customers/79165396205/recommendations") as answers:
            second = bundles.publish(uri, bundle, tmp_path)
            assert bundles.wait_until(lambda: bool(answers) and answers[-1] == (200, second), 20) < 5
        assert {status for status, _ in answers} == {200}
        assert sorted(answers) == answers  # versions never go back
        request_every_route(up)
        assert_no_customer_is_named(up)

    (settings.home / "mlruns" / "mlflow.db").unlink()
    with service(settings.home) as up:  # without its registry it serves the last bundle
        wait_for(f"{up.url}/readyz", 200, up.process)
        assert httpx.get(f"{up.url}/v1/model").json()["model"] == {"version": second}


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"customer_key": ""}, "NIGHTSHELF_CUSTOMER_KEY is not set"),
        ({"follow_seconds": "often"}, "wrong settings: NIGHTSHELF_FOLLOW_SECONDS: "),
    ],
)
def test_reports_an_invalid_setting_at_start_without_a_traceback(
    tmp_path: Path, setting: dict[str, str], message: str
) -> None:
    env = environment(tmp_path, **setting)
    result = subprocess.run(SERVE, check=False, env=env, cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode != 0
    assert message in result.stderr
    assert "Traceback" not in result.stdout + result.stderr
