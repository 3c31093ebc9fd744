"""The shop API client limits its concurrency and rate, backs off, and obeys Retry-After."""

import asyncio
import datetime as dt
import email.utils
import logging
import time
from itertools import pairwise

import pytest
from pydantic import TypeAdapter
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from pipelines.extract import http
from pipelines.settings import settings

ANYTHING = TypeAdapter(dict)


class WatchedShop:
    """A shop that records when requests arrive, how many at once, and over which connections."""

    def __init__(self, seconds=0.0, refuse=None):
        self.seconds, self.refuse = seconds, refuse
        self.times, self.clients, self.in_progress, self.most_in_progress = [], set(), 0, 0
        self.app = Starlette(routes=[Route("/orders", self.orders)])

    async def orders(self, request):
        self.times.append(time.monotonic())
        self.clients.add(request.client)
        self.in_progress += 1
        self.most_in_progress = max(self.most_in_progress, self.in_progress)
        await asyncio.sleep(self.seconds)
        self.in_progress -= 1
        if self.refuse and len(self.times) == 1:
            status, headers = self.refuse
            return JSONResponse({}, status, headers)
        return JSONResponse({"page": request.query_params["page"]})


@pytest.fixture
def fetch(home, monkeypatch, serve):
    """Returns a function that requests all pages from a shop concurrently, with these settings."""

    def fetch(app, pages, **overrides):
        values = {"URL": serve(app), "PASSWORD": "x", "BACKOFF": 0, "RATE": 10_000} | overrides
        for name, value in values.items():
            monkeypatch.setenv(f"NIGHTSHELF_SHOP_{name}", str(value))
        settings.cache_clear()
        return asyncio.run(_fetch(pages))

    async def _fetch(pages):
        async with http.ShopClient(settings()) as shop:
            requests = [http.Request("/orders", f"page {page}", {"page": str(page)}) for page in range(pages)]
            answers = await asyncio.gather(*(shop.fetch(request, ANYTHING) for request in requests))
            return [answer.content for answer in answers]

    return fetch


def test_sends_at_most_the_configured_number_of_concurrent_requests_over_as_many_connections(fetch):
    watched = WatchedShop(seconds=0.01)
    assert [response["page"] for response in fetch(watched.app, 30, CONCURRENCY=3)] == [
        str(n) for n in range(30)
    ]
    assert watched.most_in_progress == 3
    assert len(watched.clients) == 3


def test_sends_at_most_the_configured_number_of_requests_per_second(fetch):
    watched = WatchedShop()
    fetch(watched.app, 60, RATE=40, CONCURRENCY=8)
    started = watched.times[0]
    for seconds in (0.25, 0.5):  # beyond the initial burst of forty
        within = [at for at in watched.times if at - started <= seconds]
        assert len(within) <= 40 + 40 * seconds + 1
    assert watched.times[-1] - started >= 0.45


@pytest.mark.parametrize("rate", [0.5, 3.0])
def test_obeys_a_rate_of_a_few_requests_per_second_or_less(fetch, rate):
    watched = WatchedShop()
    fetch(watched.app, 3 if rate < 1 else 6, RATE=rate)
    elapsed = watched.times[-1] - watched.times[0]
    assert elapsed >= (2 / rate if rate < 1 else 3 / rate) * 0.9


def after(seconds):
    """Returns the header Retry-After as a number and as a date."""
    at = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=seconds)
    return [{"Retry-After": str(seconds)}, {"Retry-After": email.utils.format_datetime(at, usegmt=True)}]


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("form", [0, 1])
def test_all_requests_wait_for_retry_after(fetch, status, form):
    watched = WatchedShop(refuse=(status, after(2)[form]))
    responses = fetch(watched.app, 6, CONCURRENCY=1)
    assert len(responses) == 6
    first, *others = watched.times
    assert len(others) == 6
    assert min(others) - first >= (1.9 if form == 0 else 0.9)  # a date has whole seconds


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7),
        ("0", 0),
        ("-3", 0),
        ("soon", 0),
        ("", 0),
        ("1.5", 0),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0),
        ("Mon, 1 Jan 99999999999 00:00:00 GMT", 0),
    ],
)
def test_ignores_an_invalid_or_past_retry_after(value, seconds):
    assert max(0, http._retry_after({"Retry-After": value})) == seconds


def test_retries_with_growing_backoff(fetch, caplog):
    caplog.set_level(logging.DEBUG)
    times = []

    async def failing(request):
        times.append(time.monotonic())
        return JSONResponse({}, 200 if len(times) == 5 else 500)

    fetch(Starlette(routes=[Route("/orders", failing)]), 1, BACKOFF=0.05, TRIES=5)
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert len(gaps) == 4
    assert all(gap <= 0.05 * 2**number + 1 for number, gap in enumerate(gaps))
