"""The service as it is run: `bentoml serve` in a process of its own."""

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
TRACES = ["9165396205", "539-6205", "9153706507", "545-5709", "9055455709", "C-17-of-the-shop"]


@contextmanager
def asking(url: str) -> Iterator[list[tuple[int, str]]]:
    """Asks without a pause in the background; status and model version of each answer."""
    answers: list[tuple[int, str]] = []
    stopping = threading.Event()

    def ask() -> None:
        with httpx.Client() as client:
            while not stopping.is_set():
                response = client.get(url)
                answers.append((response.status_code, response.headers["Nightshelf-Model-Version"]))

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield answers
    finally:
        stopping.set()
        thread.join()


def ask_everything(up: Service) -> None:
    """Asks every route for every customer, with mistakes, so that metrics and log have seen them all."""
    for customer in CUSTOMERS:
        assert status(f"{up.url}/v1/customers/{customer}/recommendations?n=3") == 200
        assert status(f"{up.url}/v1/customers/{customer}/recommendations?customer={customer}") == 400
        assert status(f"{up.url}/v1/customers/{customer}/recommendations/") == 404
        assert status(f"{up.url}/v1/products/{customer}/similar") == 404
        assert status(f"{up.url}/users/{customer}/recommendations") == 200
        assert status(f"{up.url}/{customer}") == 404
        assert httpx.post(f"{up.url}/reco", json={"user_id": customer}).status_code == 200
        assert httpx.post(f"{up.url}/reco", content=f"[{customer}").status_code == 400


def assert_nobody_is_named(up: Service) -> None:
    metrics, log = httpx.get(f"{up.url}/metrics").text, up.log.read_text()
    for text in (metrics, log):
        assert "/v1/customers/{customer}/recommendations" in text  # it was recorded
        assert [trace for trace in TRACES if trace in text] == []
    assert 'route="/unknown"' in metrics


def test_the_life_of_a_service(settings: ServingSettings, uri: str, bundle: Bundle, tmp_path: Path) -> None:
    with service(settings.home) as up:
        assert status(f"{up.url}/readyz") == 503
        nothing_yet = httpx.get(f"{up.url}/v1/model")
        assert (nothing_yet.status_code, nothing_yet.json()["error"]["code"]) == (503, "no_model")

        bundles.publish(uri, bundle, tmp_path)
        assert wait_for(f"{up.url}/readyz", 200, up.process) < 10

        with asking(f"{up.url}/v1/customers/79165396205/recommendations") as answers:
            second = bundles.publish(uri, bundle, tmp_path)
            assert bundles.wait_until(lambda: bool(answers) and answers[-1] == (200, second), 20) < 5
        assert {status for status, _ in answers} == {200}
        assert sorted(answers) == answers  # it never went back
        ask_everything(up)
        assert_nobody_is_named(up)

    (settings.home / "mlruns" / "mlflow.db").unlink()
    with service(settings.home) as up:  # without its registry, from the last one served
        wait_for(f"{up.url}/readyz", 200, up.process)
        assert httpx.get(f"{up.url}/v1/model").json()["model"] == {"version": second}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"customer_key": ""}, "NIGHTSHELF_CUSTOMER_KEY is not set"),
        ({"follow_seconds": "often"}, "wrong settings: NIGHTSHELF_FOLLOW_SECONDS: "),
    ],
)
def test_a_start_that_cannot_work_is_one_line(tmp_path: Path, wrong: dict[str, str], said: str) -> None:
    env = environment(tmp_path, **wrong)
    ended = subprocess.run(SERVE, check=False, env=env, cwd=tmp_path, capture_output=True, text=True)
    assert ended.returncode != 0
    assert said in ended.stderr
    assert "Traceback" not in ended.stdout + ended.stderr
