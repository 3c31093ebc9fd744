"""Real shops: a Vendure server and a Medusa server, each started once for all tests of a process."""

import contextlib
from random import Random

import httpx
import medusa_shop
import npm
import pytest
import vendure_shop
from databases import new_database
from faulty_proxy import FaultyProxy
from homes import served
from ports import free_port
from shop_clock import ShopClock
from shop_pulls import ShopPulls


@pytest.fixture(scope="session")
def vendure_server(postgresql_server, tmp_path_factory):
    """The address of a Vendure server with products, and the URL of its database."""
    folder = npm.project("vendure", tmp_path_factory.mktemp("vendure") / "shop")
    database, port = new_database(postgresql_server), free_port()
    environment = {
        "PORT": str(port),
        "DATABASE_URL": node_url(database),
        "USERNAME": vendure_shop.USER,
        "PASSWORD": vendure_shop.PASSWORD,
        "TZ": "UTC",
    }
    with npm.server(folder, "node", "server.js", ready=lambda log: "\nready\n" in log, **environment):
        yield f"http://127.0.0.1:{port}", database


@pytest.fixture(scope="session")
def medusa_server(postgresql_server, tmp_path_factory):
    """The address of a Medusa server with products, the URL of its database, and what was set up in it."""
    folder = npm.project("medusa", tmp_path_factory.mktemp("medusa") / "shop")
    database, port = new_database(postgresql_server), free_port()
    url = f"http://127.0.0.1:{port}"
    environment = {
        "DATABASE_URL": node_url(database),
        "MEDUSA_DISABLE_TELEMETRY": "true",
        "NODE_ENV": "production",
        "TZ": "UTC",
    }
    npm.run(folder, "medusa", "db:migrate", **environment)
    npm.run(folder, "medusa", "user", "-e", medusa_shop.USER, "-p", medusa_shop.PASSWORD, **environment)
    command = ("node_modules/.bin/medusa", "start", "-H", "127.0.0.1", "-p", str(port))
    with npm.server(folder, *command, ready=lambda _: _answers(f"{url}/health"), **environment):
        yield url, database, medusa_shop.set_up(url)


@pytest.fixture
def vendure(vendure_server, home, monkeypatch, seed):
    """A shopper at the Vendure server, and pulls of its orders through a proxy that can break."""
    url, database = vendure_server
    clock = ShopClock(database, ("createdAt", "updatedAt", "orderPlacedAt"), monkeypatch)
    shopper = vendure_shop.VendureShopper(Random(seed), today=clock.today, url=url)
    with pulls(url, seed) as shop:
        shop.set(monkeypatch, "vendure", SHOP_TOKEN=shopper.admin.token)
        yield shopper, shop, clock


@pytest.fixture
def medusa(medusa_server, home, monkeypatch, seed):
    """A shopper at the Medusa server, and pulls of its orders through a proxy that can break."""
    url, database, store = medusa_server
    clock = ShopClock(database, ("created_at", "updated_at", "canceled_at"), monkeypatch)
    shopper = medusa_shop.MedusaShopper(Random(seed), today=clock.today, url=url, store=store)
    with pulls(url, seed) as shop:
        shop.set(monkeypatch, "medusa", SHOP_TOKEN=store.secret)
        yield shopper, shop, clock


@contextlib.contextmanager
def pulls(url, seed):
    proxy = FaultyProxy(url, seed)
    with served(proxy) as address:
        yield ShopPulls(address, proxy)


def node_url(url):
    """Returns the URL of a database as Node's driver wants it."""
    return url.replace("postgresql+psycopg://", "postgres://")


def _answers(url):
    try:
        return httpx.get(url, timeout=5).is_success
    except httpx.TransportError:
        return False
