"""A shop is asked politely: so many at once, so many a second, and later where it says so."""

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


class Watched:
    """A shop that notes when it was asked, how many at once, and over which connections."""

    def __init__(self, seconds=0.0, refuse=None):
        self.seconds, self.refuse = seconds, refuse
        self.times, self.clients, self.at_once, self.most = [], set(), 0, 0
        self.app = Starlette(routes=[Route("/orders", self.orders)])

    async def orders(self, request):
        self.times.append(time.monotonic())
        self.clients.add(request.client)
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        await asyncio.sleep(self.seconds)
        self.at_once -= 1
        if self.refuse and len(self.times) == 1:
            status, headers = self.refuse
            return JSONResponse({}, status, headers)
        return JSONResponse({"page": request.query_params["page"]})


@pytest.fixture
def ask(home, monkeypatch, serve):
    """A function that asks a shop for pages, all at once, under settings."""

    def asked(app, pages, **given):
        told = {"URL": serve(app), "PASSWORD": "x", "BACKOFF": 0, "RATE": 10_000} | given
        for name, value in told.items():
            monkeypatch.setenv(f"NIGHTSHELF_SHOP_{name}", str(value))
        settings.cache_clear()
        return asyncio.run(_ask(pages))

    async def _ask(pages):
        async with http.ShopClient(settings()) as shop:
            return await asyncio.gather(*(shop.page("/orders", {}, page, ANYTHING) for page in range(pages)))

    return asked


def test_no_more_requests_at_once_than_set_over_as_many_connections(ask):
    watched = Watched(seconds=0.01)
    assert [found["page"] for found in ask(watched.app, 30, CONCURRENCY=3)] == [str(n) for n in range(30)]
    assert watched.most == 3
    assert len(watched.clients) == 3


def test_no_more_requests_a_second_than_set(ask):
    watched = Watched()
    ask(watched.app, 60, RATE=40, CONCURRENCY=8)
    begun = watched.times[0]
    for seconds in (0.25, 0.5):  # after the first second's forty
        within = [at for at in watched.times if at - begun <= seconds]
        assert len(within) <= 40 + 40 * seconds + 1
    assert watched.times[-1] - begun >= 0.45


@pytest.mark.parametrize("rate", [0.5, 3.0])
def test_a_slow_rate_is_one_too(ask, rate):
    watched = Watched()
    ask(watched.app, 3 if rate < 1 else 6, RATE=rate)
    gaps = watched.times[-1] - watched.times[0]
    assert gaps >= (2 / rate if rate < 1 else 3 / rate) * 0.9


def after(seconds):
    """Retry-After as a number and as a date."""
    at = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=seconds)
    return [{"Retry-After": str(seconds)}, {"Retry-After": email.utils.format_datetime(at, usegmt=True)}]


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("form", [0, 1])
def test_retry_after_is_obeyed_by_all_requests(ask, status, form):
    watched = Watched(refuse=(status, after(2)[form]))
    found = ask(watched.app, 6, CONCURRENCY=1)
    assert len(found) == 6
    first, *others = watched.times
    assert len(others) == 6
    assert min(others) - first >= (1.9 if form == 0 else 0.9)  # a date has whole seconds


@pytest.mark.parametrize(
    ("told", "seconds"),
    [("7", 7), ("0", 0), ("-3", 0), ("soon", 0), ("", 0), ("1.5", 0), ("Wed, 21 Oct 2015 07:28:00 GMT", 0)],
)
def test_a_retry_after_that_is_none_is_none(told, seconds):
    assert max(0, http._retry_after({"Retry-After": told})) == seconds


def test_tries_are_further_and_further_apart(ask, caplog):
    caplog.set_level(logging.DEBUG)
    times = []

    async def failing(request):
        times.append(time.monotonic())
        return JSONResponse({}, 200 if len(times) == 5 else 500)

    ask(Starlette(routes=[Route("/orders", failing)]), 1, BACKOFF=0.05, TRIES=5)
    gaps = [later - sooner for sooner, later in pairwise(times)]
    assert len(gaps) == 4
    assert all(gap <= 0.05 * 2**number + 1 for number, gap in enumerate(gaps))
