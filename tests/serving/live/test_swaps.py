"""Promotions and rollbacks under load: no request fails, and every answer is of one version alone."""

import threading
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import bundles
import httpx
from processes import Service
from test_killed_service import two_workers

from serving.bundle.format import Bundle, save, texts
from serving.settings import ServingSettings

MOVES, LIVE_WITHIN = 20, 5
THREADS, IN_A_ROW = 3, 60  # answers of one version one after the other, of a dozen connections
ASKED: list[tuple[str, str, Any]] = [
    ("GET", f"/v1/customers/{bundles.ANNA}/recommendations", None),
    ("GET", f"/v1/customers/{bundles.STRANGER}/recommendations", None),
    ("POST", "/v1/recommendations", {"customers": [bundles.ANNA, bundles.BORIS, bundles.STRANGER] * 20}),
    ("GET", "/v1/products/coffee-1/similar", None),
    ("GET", "/v1/popular", None),
]


@dataclass
class Asking:
    """What the threads were answered: the versions in order, and all that was wrong."""

    url: str
    versions: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Asks every route in turn over one connection, then over another, whichever worker takes it."""
        while not self.ended.is_set():
            with httpx.Client(timeout=20) as client:
                for method, path, body in ASKED:
                    try:
                        self.note(path, client.request(method, self.url + path, json=body))
                    except httpx.HTTPError as error:
                        self.wrong.append(f"{path}: {type(error).__name__}")

    def note(self, path: str, response: httpx.Response) -> None:
        """Notes the version of an answer, whose every item must be of that version."""
        if response.status_code != 200:
            self.wrong.append(f"{path}: {response.status_code}")
            return
        version = response.json()["model"]["version"]
        told = {item["brand"] for item in items(response.json())}
        if told != {f"of {version}"} or response.headers["Nightshelf-Model-Version"] != version:
            self.wrong.append(f"{path}: items {told} of version {version}")
        self.versions.append(version)


def items(answer: Any) -> list[dict[str, Any]]:
    """All items in an answer."""
    listings = answer.get("customers", [answer])
    return [item for listing in listings for item in listing["items"]]


def test_moves_under_load_fail_and_mix_nothing(
    settings: ServingSettings, uri: str, bundle: Bundle, tmp_path: Path
) -> None:
    for version in ("1", "2"):
        own = replace(bundle, brand=texts([f"of {version}"] * len(bundle.products)))
        assert bundles.register(uri, save(own, tmp_path / version / "bundle")) == version
    bundles.promote(uri, "1")
    with two_workers(settings.home) as up:
        asking = moved(up, uri)
    print(f"{len(asking.versions)} answers")
    assert asking.wrong == []
    assert len(asking.versions) > MOVES * IN_A_ROW


def moved(up: Service, uri: str) -> Asking:
    """What is answered while the champion goes to and fro."""
    asking = Asking(up.url)
    threads = [threading.Thread(target=asking.run) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    try:
        for number in range(MOVES):
            version = "12"[(number + 1) % 2]
            bundles.promote(uri, version)
            bundles.until(lambda: everywhere(asking, version), LIVE_WITHIN)  # noqa: B023
    finally:
        asking.ended.set()
        for thread in threads:
            thread.join()
    return asking


def everywhere(asking: Asking, version: str) -> bool:
    """Whether the last answers are of a version; some from each worker."""
    last = asking.versions[-IN_A_ROW:]
    return len(last) == IN_A_ROW and set(last) == {version}
