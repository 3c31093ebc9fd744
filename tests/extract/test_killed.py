"""A pull that is killed at any moment goes on where it was, and its lake is that of one undisturbed."""

import contextlib
import datetime as dt
import json
import os
import random
import select
import signal
import subprocess
import sys
import time

import killing
import pytest
from homes import SOAK, fresh_home
from worlds import environment

from pipelines import columns as c
from pipelines import extract
from pipelines.demo.api import app
from pipelines.demo.faults import Faults
from pipelines.demo.shop import Shop
from pipelines.extract import raw
from pipelines.extract.staging import RAW_ORDERS

KILLS = 50 if SOAK else 15
DAYS = 10
SHOP = Shop(start=dt.date(2026, 9, 1), seed=7, customers=300, products=200, orders_per_day=40)


class Counting:
    """The demo shop, with a little latency; it counts the pages of orders that it is asked for."""

    def __init__(self):
        self.asked = 0
        self.shop = app(
            SHOP, "nightshelf", "x", lambda: SHOP.start + dt.timedelta(days=DAYS), Faults(latency=0.01)
        )

    async def __call__(self, scope, receive, send):
        self.asked += scope.get("path") == "/orders"
        await self.shop(scope, receive, send)


@pytest.fixture
def counting(serve):
    shop = Counting()
    return shop, serve(shop)


def given(address):
    told = {"URL": address, "PASSWORD": "x", "PAGE_SIZE": 5, "RATE": 10_000, "CONCURRENCY": 4}
    return {f"SHOP_{name}": value for name, value in told.items()}


@pytest.fixture
def run():
    """Whether a pull in a process of its own ended by itself within so many seconds; else it is killed."""
    command = [sys.executable, killing.__file__]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as pulls:

        def once(seconds):
            pulls.stdin.write(json.dumps(environment()) + "\n")
            pulls.stdin.flush()
            child = int(pulls.stdout.readline())
            ended = bool(select.select([pulls.stdout], [], [], seconds)[0])
            if not ended:
                with contextlib.suppress(ProcessLookupError):  # it ended at this very moment
                    os.kill(child, signal.SIGKILL)
            status = int(pulls.stdout.readline())
            assert status in (0, signal.SIGKILL)
            return status == 0

        yield once


def lake():
    """All rows of raw/ but for the moment that their pull began."""
    names = [name for name in RAW_ORDERS.names if name != c.EXTRACTED_AT]
    table = raw.read(raw.pulls(extract.source("shop-api", "", "").name), names)
    return sorted(zip(*(column.to_pylist() for column in table.select(names).columns), strict=True), key=str)


def test_kills_leave_the_lake_of_an_undisturbed_pull(tmp_path, counting, run, seed):
    shop, address = counting
    rng = random.Random(seed)
    with fresh_home(tmp_path / "undisturbed", **given(address)):
        started = time.monotonic()
        assert run(60)
        whole, expected, pages = time.monotonic() - started, lake(), shop.asked
    kills = lives = extra = 0
    while kills < KILLS:
        shop.asked = 0
        with fresh_home(tmp_path / f"disturbed-{lives}", **given(address)):
            tries = 0
            while not run(rng.uniform(0, whole / 2) * 1.1**tries):
                tries += 1
            found = lake()
        kills += tries
        lives += 1
        extra += shop.asked - pages
        assert found == expected
    print(f"{kills} kills in {lives} pulls of {pages} pages, {extra / kills:.1f} more pages asked per kill")
    assert extra / kills < pages
