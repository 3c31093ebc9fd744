"""Extraction of 100,000 and of a million orders from a shop API that takes 50 ms for a page."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx

from benchmarks.processes import Measured, free_ports, measure

ORDERS, PAGE, CONCURRENCY = 100_000, 100, 24
PULL = """
import datetime as dt
from pipelines import extract
from pipelines.extract import pulls
from pipelines.run.progress import silent
print(pulls.pull(extract.source("shop-api", "", ""), dt.date(2026, 9, 30), False, silent))
"""


def compare(home: Path) -> str:
    """Returns seconds and memory with one request at a time, with several, and with ten times the orders."""
    with slow_shop(ORDERS) as address:
        sequential = pull(home / "sequential", address, 1)
        concurrent = pull(home / "concurrent", address, CONCURRENCY)
    with slow_shop(10 * ORDERS) as address:
        larger = pull(home / "larger", address, CONCURRENCY)
    cases = [(ORDERS, 1, sequential), (ORDERS, CONCURRENCY, concurrent), (10 * ORDERS, CONCURRENCY, larger)]
    rows = "".join(
        f"| {orders:,} | {concurrency} | {measured.seconds:.1f} | {measured.peak_gib * 1024:.0f} |\n"
        for orders, concurrency, measured in cases
    )
    return (
        "## Extraction from a shop API that takes 50 ms for a page\n\n"
        f"Source `shop-api`, {PAGE} orders of 3 lines per page, no rate limit, each in a fresh process:\n"
        f"**{sequential.seconds / concurrent.seconds:.1f} times faster** than one request at a time"
        " (required: 8).\n\n"
        f"| orders | concurrent requests | seconds | peak MiB |\n|---|---|---|---|\n{rows}"
    )


def pull(home: Path, address: str, concurrency: int) -> Measured:
    """Measures the first pull of all orders into an empty lake."""
    settings = {
        "URL": address,
        "PASSWORD": "x",
        "CONCURRENCY": concurrency,
        "RATE": 1_000_000,
        "PAGE_SIZE": PAGE,
    }
    env = os.environ | {f"NIGHTSHELF_SHOP_{name}": str(value) for name, value in settings.items()}
    return measure([sys.executable, "-c", PULL], env | {"NIGHTSHELF_HOME": str(home)})


@contextlib.contextmanager
def slow_shop(orders: int) -> Iterator[str]:
    """Runs the shop API in its own process; yields its address once it answers."""
    (port,) = free_ports(1)
    command = [sys.executable, "-m", "benchmarks.slow_shop", str(orders), str(port)]
    with subprocess.Popen(command) as shop:
        address = f"http://127.0.0.1:{port}"
        while not _answers(address):
            time.sleep(0.1)
        yield address
        shop.terminate()


def _answers(address: str) -> bool:
    try:
        return httpx.get(f"{address}/goods").is_success
    except httpx.TransportError:
        return False
