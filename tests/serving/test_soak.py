"""Ten minutes of mixed traffic with swaps: no error, and memory that doesn't grow. `make soak` runs it."""

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
from processes import Service, two_workers

from serving.bundle.files import save
from serving.bundle.format import Bundle, texts
from serving.live.identity import pseudonym
from serving.settings import ServingSettings

SECONDS = 600
THREADS, SWAP_EVERY, MEASURE_EVERY = 4, 30, 2
WARM_UP, WINDOW = 0.3, 0.1  # shares of the time: until memory is flat, and over which it is averaged
MAX_GROWTH = 1.05
PRODUCTS, CUSTOMERS, NEWCOMERS = 3000, 500, 100
MEGABYTE = 1 << 20


@dataclass
class Soak:
    """The threads' answers, and the memory of all processes over time."""

    url: str
    answers: int = 0
    errors: list[str] = field(default_factory=list)
    memory: list[tuple[float, int]] = field(default_factory=list)  # seconds since the start, bytes
    ended: threading.Event = field(default_factory=threading.Event)

    def run(self, rng: np.random.Generator) -> None:
        """Sends random requests until the end."""
        with httpx.Client(base_url=self.url, timeout=20) as client:
            while not self.ended.is_set():
                method, path, body = random_request(rng)
                try:
                    status = client.request(method, path, json=body).status_code
                except httpx.HTTPError as error:
                    self.errors.append(f"{method} {path}: {type(error).__name__}")
                    continue
                self.answers += 1
                if status != 200:
                    self.errors.append(f"{method} {path}: {status}")

    def mean_memory(self, first: float, last: float) -> float:
        """Returns the mean memory between two times in seconds."""
        return float(np.mean([size for seconds, size in self.memory if first <= seconds <= last]))


def random_request(rng: np.random.Generator) -> tuple[str, str, Any]:
    """Returns method, path and body of a request that is answered with 200."""
    product, other = (f"{number:05}" for number in rng.integers(0, PRODUCTS, 2))
    customer = str(rng.integers(0, CUSTOMERS))
    newcomer = f"newcomer {rng.integers(NEWCOMERS)}"
    kind = str(rng.choice(["purchase", "view", "cart", "dismissed"]))
    event = {"customer": newcomer, "product": product, "kind": kind}
    change = {"stock": int(rng.integers(2)), "price": float(rng.integers(1, 50))}
    many = [str(number) for number in rng.integers(0, CUSTOMERS, 50)]
    requests: list[tuple[float, str, str, Any]] = [
        (0.35, "GET", f"/v1/customers/{customer}/recommendations?n=20", None),
        (0.15, "GET", f"/v1/customers/{newcomer}/recommendations?lane=discover", None),
        (0.05, "GET", f"/v1/customers/{newcomer}/history", None),
        (0.1, "GET", f"/v1/products/{product}/similar", None),
        (0.05, "GET", "/v1/popular?days=28", None),
        (0.1, "POST", "/v1/cart/recommendations", {"cart": [product, other], "customer": customer}),
        (0.02, "POST", "/v1/recommendations", {"customers": many}),
        (0.1, "POST", "/v1/events", event),
        (0.06, "PUT", f"/v1/products/{product}", change),
        (0.02, "DELETE", f"/v1/customers/{newcomer}", None),
    ]
    return requests[rng.choice(len(requests), p=[share for share, *_ in requests])][1:]


@in_soak
def test_memory_stays_flat_and_no_request_fails(
    settings: ServingSettings, uri: str, tmp_path: Path, seed: int
) -> None:
    versions = [register_random(uri, tmp_path, seed, number) for number in range(2)]
    bundles.promote(uri, versions[0])
    with two_workers(settings.home) as up:
        soak = run_soak(up, uri, versions, seed)
        assert "failed" not in up.log.read_text()
    for minute in range(0, SECONDS, 60):
        print(f"minute {minute // 60 + 1}: {soak.mean_memory(minute, minute + 60) / MEGABYTE:.0f} MB")
    print(f"{soak.answers} answers, {len(soak.errors)} failed")
    assert soak.errors == []
    before = soak.mean_memory(SECONDS * WARM_UP, SECONDS * (WARM_UP + WINDOW))
    assert soak.mean_memory(SECONDS * (1 - WINDOW), SECONDS) < MAX_GROWTH * before


def register_random(uri: str, folder: Path, seed: int, number: int) -> str:
    """Registers a random bundle, with pseudonyms of 0, 1, 2, ... as customers, and returns its version."""
    names = sorted(pseudonym(str(number), bundles.KEY) for number in range(CUSTOMERS))
    bundle: Bundle = random_bundles.draw(np.random.default_rng(seed + number), PRODUCTS, CUSTOMERS)
    return bundles.register(
        uri, save(replace(bundle, customers=texts(names)), folder / str(number) / "bundle")
    )


def run_soak(up: Service, uri: str, versions: list[str], seed: int) -> Soak:
    """Returns the results of the traffic while the champion changes every SWAP_EVERY seconds."""
    soak, started, swaps = Soak(up.url), time.monotonic(), 0
    generators = np.random.default_rng(seed).spawn(THREADS)
    threads = [threading.Thread(target=soak.run, args=(rng,)) for rng in generators]
    for thread in threads:
        thread.start()
    while (elapsed := time.monotonic() - started) < SECONDS:
        soak.memory.append((elapsed, memory(up)))
        if elapsed > (swaps + 1) * SWAP_EVERY:
            swaps += 1
            bundles.promote(uri, versions[swaps % 2])
        time.sleep(MEASURE_EVERY)
    soak.ended.set()
    for thread in threads:
        thread.join()
    return soak


def memory(up: Service) -> int:
    """Returns the memory of all processes of a service in bytes; shared pages count once."""
    service = psutil.Process(up.process.pid)
    return sum(
        int(process.memory_full_info().pss) for process in (service, *service.children(recursive=True))
    )
