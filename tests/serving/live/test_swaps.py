"""Promotions and rollbacks under load: no request fails, and no answer mixes two versions."""

import ssl
import threading
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import bundles
import httpx
from homes import SOAK
from processes import Service, two_workers

from serving.bundle.files import save
from serving.bundle.format import Bundle, texts
from serving.settings import ServingSettings

SWAPS, THREADS = 20 if SOAK else 8, 3
A_BUSY_MACHINE = 60  # seconds for a swap: how soon a promotion is live is measured in benchmarks/
PAUSE = 0.02  # seconds of a thread between requests, so that the load is some 100 requests a second
CERTIFICATES = ssl.create_default_context()  # read once: it takes longer than five answers
IN_A_ROW = 60  # consecutive answers of one version, from a dozen connections, before the next swap
REQUESTS: list[tuple[str, str, Any]] = [
    ("GET", f"/v1/customers/{bundles.ANNA}/recommendations", None),
    ("GET", f"/v1/customers/{bundles.UNKNOWN_CUSTOMER}/recommendations", None),
    (
        "POST",
        "/v1/recommendations",
        {"customers": [bundles.ANNA, bundles.BORIS, bundles.UNKNOWN_CUSTOMER] * 2},
    ),
    ("GET", "/v1/products/coffee-1/similar", None),
    ("GET", "/v1/popular", None),
]


@dataclass
class Load:
    """The threads' answers: their versions in order, and all errors."""

    url: str
    versions: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Requests every route over one connection, then over a new one, which any worker may accept."""
        while not self.ended.is_set():
            with httpx.Client(timeout=20, verify=CERTIFICATES) as client:
                for method, path, body in REQUESTS:
                    try:
                        self.record(path, client.request(method, self.url + path, json=body))
                    except httpx.HTTPError as error:
                        self.errors.append(f"{path}: {type(error).__name__}")
                    time.sleep(PAUSE)

    def record(self, path: str, response: httpx.Response) -> None:
        """Records the version of an answer and checks that all items are of that version."""
        if response.status_code != 200:
            self.errors.append(f"{path}: {response.status_code}")
            return
        version = response.json()["model"]["version"]
        brands = {item["brand"] for item in items(response.json())}
        if brands != {f"of {version}"} or response.headers["Nightshelf-Model-Version"] != version:
            self.errors.append(f"{path}: items {brands} of version {version}")
        self.versions.append(version)


def items(answer: Any) -> list[dict[str, Any]]:
    """Returns all items in an answer."""
    listings = answer.get("customers", [answer])
    return [item for listing in listings for item in listing["items"]]


def test_swaps_under_load_fail_no_request_and_mix_no_versions(
    settings: ServingSettings, uri: str, bundle: Bundle, tmp_path: Path
) -> None:
    for version in ("1", "2"):
        marked = replace(bundle, brand=texts([f"of {version}"] * len(bundle.products)))
        assert bundles.register(uri, save(marked, tmp_path / version / "bundle")) == version
    bundles.promote(uri, "1")
    with two_workers(settings.home) as up:
        load = swap_under_load(up, uri)
    print(f"{len(load.versions)} answers")
    assert load.errors == []
    assert len(load.versions) > SWAPS * IN_A_ROW


def swap_under_load(up: Service, uri: str) -> Load:
    """Returns the answers while the champion alternates between two versions."""
    load = Load(up.url)
    threads = [threading.Thread(target=load.run) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    try:
        for number in range(SWAPS):
            version = "12"[(number + 1) % 2]
            bundles.promote(uri, version)
            bundles.wait_until(lambda: is_live_everywhere(load, version), A_BUSY_MACHINE)  # noqa: B023
    finally:
        load.ended.set()
        for thread in threads:
            thread.join()
    return load


def is_live_everywhere(load: Load, version: str) -> bool:
    """Returns whether the last answers, which come from both workers, are of a version."""
    last = load.versions[-IN_A_ROW:]
    return len(last) == IN_A_ROW and set(last) == {version}
