"""Pulling 100,000 orders from a shop that takes 50 ms for each page, and ten times as many."""

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx

from benchmarks.processes import Measured, measure

ORDERS, PAGE, AT_ONCE = 100_000, 100, 24
PULL = """
import datetime as dt
from pipelines import extract
from pipelines.extract import pulls
from pipelines.progress import silent
print(pulls.pull(extract.source("shop-api", "", ""), dt.date(2026, 9, 30), False, silent))
"""


def compare(home: Path) -> str:
    """Seconds and memory: one request at a time, several at once, and ten times as many orders."""
    with slow_shop(ORDERS) as address:
        alone = pull(home / "alone", address, 1)
        together = pull(home / "together", address, AT_ONCE)
    with slow_shop(10 * ORDERS) as address:
        larger = pull(home / "larger", address, AT_ONCE)
    rows = [(ORDERS, 1, alone), (ORDERS, AT_ONCE, together), (10 * ORDERS, AT_ONCE, larger)]
    lines = "".join(
        f"| {orders:,} | {at_once} | {found.seconds:.1f} | {found.peak_gib * 1024:.0f} |\n"
        for orders, at_once, found in rows
    )
    return (
        "## Extraction from a shop that takes 50 ms for a page\n\n"
        f"Source `shop-api`, {PAGE} orders of 3 lines on a page, no rate limit, each in a fresh process:\n"
        f"**{alone.seconds / together.seconds:.1f} times faster** than one request at a time (asked: 8).\n\n"
        f"| orders | requests at once | seconds | peak MiB |\n|---|---|---|---|\n{lines}"
    )


def pull(home: Path, address: str, at_once: int) -> Measured:
    """A first pull of all there is."""
    told = {"URL": address, "PASSWORD": "x", "CONCURRENCY": at_once, "RATE": 1_000_000, "PAGE_SIZE": PAGE}
    env = os.environ | {f"NIGHTSHELF_SHOP_{name}": str(value) for name, value in told.items()}
    return measure([sys.executable, "-c", PULL], env | {"NIGHTSHELF_HOME": str(home)})


@contextlib.contextmanager
def slow_shop(orders: int) -> Iterator[str]:
    """The address of a shop in a process of its own."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
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
