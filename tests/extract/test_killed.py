"""A pull killed at any moment resumes, and leaves the same lake as an uninterrupted pull."""

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


class CountingShop:
    """The demo shop with a little latency, which counts requests for pages of orders."""

    def __init__(self):
        self.requests = 0
        self.shop = app(
            SHOP, "nightshelf", "x", lambda: SHOP.start + dt.timedelta(days=DAYS), Faults(latency=0.01)
        )

    async def __call__(self, scope, receive, send):
        self.requests += scope.get("path") == "/orders"
        await self.shop(scope, receive, send)


@pytest.fixture
def counting(serve):
    shop = CountingShop()
    return shop, serve(shop)


def shop_settings(address):
    values = {"URL": address, "PASSWORD": "x", "PAGE_SIZE": 5, "RATE": 10_000, "CONCURRENCY": 4}
    return {f"SHOP_{name}": value for name, value in values.items()}


@pytest.fixture
def run():
    """Returns a function that pulls in a child process and returns False if it killed it after `seconds`."""
    command = [sys.executable, killing.__file__]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as pulls:

        def run(seconds):
            pulls.stdin.write(json.dumps(environment()) + "\n")
            pulls.stdin.flush()
            child = int(pulls.stdout.readline())
            poll = select.poll()  # select() refuses file numbers above 1023, which a long test run reaches
            poll.register(pulls.stdout, select.POLLIN)
            ended = bool(poll.poll(seconds * 1000))
            if not ended:
                with contextlib.suppress(ProcessLookupError):  # it has just ended
                    os.kill(child, signal.SIGKILL)
            status = int(pulls.stdout.readline())
            assert status in (0, signal.SIGKILL)
            return status == 0

        yield run


def lake():
    """Returns all rows of raw/ without the time when their pull started."""
    names = [name for name in RAW_ORDERS.names if name != c.EXTRACTED_AT]
    table = raw.read(raw.pulls(extract.source("shop-api", "", "").name), names)
    return sorted(zip(*(column.to_pylist() for column in table.select(names).columns), strict=True), key=str)


def test_killed_pulls_leave_the_lake_of_an_uninterrupted_pull(tmp_path, counting, run, seed):
    shop, address = counting
    rng = random.Random(seed)
    with fresh_home(tmp_path / "uninterrupted", **shop_settings(address)):
        started = time.monotonic()
        assert run(60)
        seconds, expected, pages = time.monotonic() - started, lake(), shop.requests
    kills = completed = extra_requests = 0
    while kills < KILLS:
        shop.requests = 0
        with fresh_home(tmp_path / f"killed-{completed}", **shop_settings(address)):
            tries = 0
            while not run(rng.uniform(0, seconds / 2) * 1.1**tries):
                tries += 1
            rows = lake()
        kills += tries
        completed += 1
        extra_requests += shop.requests - pages
        assert rows == expected
    per_kill = extra_requests / kills
    print(f"{kills} kills in {completed} pulls of {pages} pages, {per_kill:.1f} more requests per kill")
    assert per_kill < pages
