"""Minutes of mixed traffic with swaps: no error, and memory that doesn't grow. `make soak` runs it."""

import threading
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import bundles
import httpx
import numpy as np
import psutil
import random_bundles
from homes import in_soak
from processes import Service
from test_killed_service import two_workers

from serving.bundle.files import save
from serving.bundle.format import Bundle, texts
from serving.live.identity import pseudonym
from serving.settings import ServingSettings

SECONDS = 600
THREADS, SWAP_EVERY, LOOK_EVERY = 4, 30, 2
WARM, LAST = 0.3, 0.1  # shares of the time: after which memory is flat, and over which it is looked at
GROWTH = 1.05
PRODUCTS, CUSTOMERS, PASSERS_BY = 3000, 500, 100
MEGABYTE = 1 << 20


@dataclass
class Soak:
    """What the threads saw; seconds since the start with the memory of all processes then, in bytes."""

    url: str
    answers: int = 0
    wrong: list[str] = field(default_factory=list)
    memory: list[tuple[float, int]] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)

    def run(self, rng: np.random.Generator) -> None:
        """Asks and tells at random till the end."""
        with httpx.Client(base_url=self.url, timeout=20) as client:
            while not self.ended.is_set():
                method, path, body = drawn_request(rng)
                try:
                    status = client.request(method, path, json=body).status_code
                except httpx.HTTPError as error:
                    self.wrong.append(f"{method} {path}: {type(error).__name__}")
                    continue
                self.answers += 1
                if status != 200:
                    self.wrong.append(f"{method} {path}: {status}")

    def mean(self, first: float, last: float) -> float:
        """The mean memory between two moments, in seconds."""
        return float(np.mean([size for at, size in self.memory if first <= at <= last]))


def drawn_request(rng: np.random.Generator) -> tuple[str, str, Any]:
    """Method, path and body of a request that is answered with 200."""
    product, other = (f"{one:05}" for one in rng.integers(0, PRODUCTS, 2))
    who = str(rng.integers(0, CUSTOMERS))
    passer_by = f"passer-by {rng.integers(PASSERS_BY)}"
    kind = str(rng.choice(["purchase", "view", "cart", "dismissed"]))
    event = {"customer": passer_by, "product": product, "kind": kind}
    change = {"stock": int(rng.integers(2)), "price": float(rng.integers(1, 50))}
    many = [str(one) for one in rng.integers(0, CUSTOMERS, 50)]
    asked: list[tuple[float, str, str, Any]] = [
        (0.35, "GET", f"/v1/customers/{who}/recommendations?n=20", None),
        (0.15, "GET", f"/v1/customers/{passer_by}/recommendations?lane=discover", None),
        (0.05, "GET", f"/v1/customers/{passer_by}/history", None),
        (0.1, "GET", f"/v1/products/{product}/similar", None),
        (0.05, "GET", "/v1/popular?days=28", None),
        (0.1, "POST", "/v1/cart/recommendations", {"cart": [product, other], "customer": who}),
        (0.02, "POST", "/v1/recommendations", {"customers": many}),
        (0.1, "POST", "/v1/events", event),
        (0.06, "PUT", f"/v1/products/{product}", change),
        (0.02, "DELETE", f"/v1/customers/{passer_by}", None),
    ]
    return asked[rng.choice(len(asked), p=[share for share, *_ in asked])][1:]


@in_soak
def test_memory_stays_flat_and_nothing_fails(
    settings: ServingSettings, uri: str, tmp_path: Path, seed: int
) -> None:
    versions = [registered(uri, tmp_path, seed, number) for number in range(2)]
    bundles.promote(uri, versions[0])
    with two_workers(settings.home) as up:
        soak = soaked(up, uri, versions, seed)
        assert "failed" not in up.log.read_text()
    for minute in range(0, SECONDS, 60):
        print(f"minute {minute // 60 + 1}: {soak.mean(minute, minute + 60) / MEGABYTE:.0f} MB")
    print(f"{soak.answers} answers, {len(soak.wrong)} failed")
    assert soak.wrong == []
    before = soak.mean(SECONDS * WARM, SECONDS * (WARM + LAST))
    assert soak.mean(SECONDS * (1 - LAST), SECONDS) < GROWTH * before


def registered(uri: str, folder: Path, seed: int, number: int) -> str:
    """The version of a drawn bundle, whose customers have the pseudonyms of 0, 1, 2, ..."""
    names = sorted(pseudonym(str(one), bundles.KEY) for one in range(CUSTOMERS))
    made: Bundle = random_bundles.draw(np.random.default_rng(seed + number), PRODUCTS, CUSTOMERS)
    return bundles.register(uri, save(replace(made, customers=texts(names)), folder / str(number) / "bundle"))


def soaked(up: Service, uri: str, versions: list[str], seed: int) -> Soak:
    """What was seen while the champion changed every SWAP_EVERY seconds."""
    soak, started, swaps = Soak(up.url), time.monotonic(), 0
    generators = np.random.default_rng(seed).spawn(THREADS)
    threads = [threading.Thread(target=soak.run, args=(rng,)) for rng in generators]
    for thread in threads:
        thread.start()
    while (at := time.monotonic() - started) < SECONDS:
        soak.memory.append((at, memory(up)))
        if at > (swaps + 1) * SWAP_EVERY:
            swaps += 1
            bundles.promote(uri, versions[swaps % 2])
        time.sleep(LOOK_EVERY)
    soak.ended.set()
    for thread in threads:
        thread.join()
    return soak


def memory(up: Service) -> int:
    """The memory of all processes of a service, what they share counted once, in bytes."""
    service = psutil.Process(up.process.pid)
    return sum(int(one.memory_full_info().pss) for one in (service, *service.children(recursive=True)))
