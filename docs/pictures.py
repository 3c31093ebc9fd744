"""Takes the README's pictures of a demo shop's pages after two nightly runs: `make pictures`."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from mlflow import MlflowClient
from playwright.sync_api import Page, sync_playwright

from benchmarks.processes import free_ports
from pipelines.stack.airflow_api import NightlyRuns

PICTURES = Path(__file__).with_name("pictures")
NIGHTSHELF = Path(sys.executable).with_name("nightshelf")
CHROMIUM = "/usr/bin/chromium"
PASSWORD = "of-a-shop-for-pictures"
SIZE = {"width": 1280, "height": 860}
TIMEOUT = 1200  # seconds for the servers, and for a nightly run
COMPARED = 6  # candidates in the picture of MLflow
SETTLED = 8000  # milliseconds until a page is complete; MLflow and Airflow never stop sending requests


def main() -> None:
    """Writes storefront.png, night.png, airflow.png and mlflow.png."""
    PICTURES.mkdir(exist_ok=True)
    shop, mlflow, airflow, service = free_ports(4)
    ports = {"SHOP": shop, "MLFLOW": mlflow, "AIRFLOW": airflow, "SERVING": service}
    with running(ports), httpx.Client(base_url=f"http://127.0.0.1:{airflow}") as http:
        until(lambda: answers(f"http://127.0.0.1:{service}/v1/model"))
        nights = NightlyRuns(http, PASSWORD)
        until(lambda: nights.active_run() is None)
        nights.trigger()
        until(lambda: nights.active_run() is None)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            page = browser.new_page(viewport=SIZE)
            take_service(page, f"http://127.0.0.1:{service}")
            take_mlflow(page, f"http://127.0.0.1:{mlflow}")
            take_airflow(page, f"http://127.0.0.1:{airflow}")


@contextmanager
def running(ports: dict[str, int]) -> Iterator[None]:
    """Runs all of Nightshelf in a temporary home until the block ends."""
    with tempfile.TemporaryDirectory() as home:
        variables = {f"NIGHTSHELF_{name}_PORT": str(port) for name, port in ports.items()}
        variables |= {"NIGHTSHELF_HOME": home, "NIGHTSHELF_AIRFLOW_PASSWORD": PASSWORD}
        up = subprocess.Popen([NIGHTSHELF, "up"], env=os.environ | variables)
        try:
            yield
        finally:
            up.send_signal(signal.SIGINT)
            up.wait()


def until(condition: Callable[[], bool]) -> None:
    """Waits until a condition is true; raises TimeoutError after TIMEOUT seconds."""
    deadline = time.monotonic() + TIMEOUT
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("the servers or the nightly run take too long")
        time.sleep(2)


def answers(url: str) -> bool:
    """Returns whether a page can be loaded."""
    try:
        return httpx.get(url).is_success
    except httpx.TransportError:
        return False


def take_service(page: Page, url: str) -> None:
    """Takes the storefront as it opens, and the report of the last nightly run."""
    page.goto(url)
    page.wait_for_timeout(SETTLED)
    page.screenshot(path=PICTURES / "storefront.png")
    page.goto(f"{url}/nights/")
    page.locator("main a").first.click()
    page.screenshot(path=PICTURES / "night.png")


def take_mlflow(page: Page, url: str) -> None:
    """Takes a comparison of some candidates of the sweep."""
    client = MlflowClient(url)
    experiments = client.search_experiments()
    (nightly,) = [each.experiment_id for each in experiments if each.name == "nightly"]
    candidates = client.search_runs([nightly], "tags.mlflow.parentRunId LIKE '%'", max_results=COMPARED)
    runs = json.dumps([run.info.run_id for run in candidates])
    page.goto(f"{url}/#/compare-runs?runs={runs}&experiments={json.dumps([nightly])}")
    page.wait_for_timeout(SETTLED)
    page.screenshot(path=PICTURES / "mlflow.png")


def take_airflow(page: Page, url: str) -> None:
    """Takes the grid of the DAG."""
    page.goto(url)
    page.fill("input[name=username]", "admin")
    page.fill("input[name=password]", PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_timeout(SETTLED)
    page.goto(f"{url}/dags/nightly")
    page.wait_for_timeout(SETTLED)
    page.screenshot(path=PICTURES / "airflow.png")


main()
