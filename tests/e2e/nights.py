"""A simulated shop whose data each case changes, and a nightly run (up to `prepare`) on that data.

A case is a function of a random generator and a `World` that returns a changed world. A change is a function
of a random generator and a list of orders (or goods) that returns a changed list.
"""

import datetime as dt
import itertools
import math
import shutil
import time
import zlib
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from pipelines import nightly
from pipelines.demo.dirt import Dirt
from pipelines.demo.feed import GoodsShelf
from pipelines.demo.shop import Shop
from pipelines.lake import tables
from pipelines.settings import settings
from serving.errors import NightshelfError

LAST = dt.date(2026, 11, 8)  # a Sunday
DAYS = 70
START = LAST - dt.timedelta(days=DAYS - 1)
MOST_BUSY = 4  # times the usual orders, on one simulated day
LATER = 2  # simulated days after LAST
LETTERS = str.maketrans("aeo", "äéö")  # so that names are not ASCII
TRAINING_TABLES = (tables.ORDERS, tables.INTERACTIONS)  # tables that training reads


@dataclass(frozen=True)
class World:
    """The data that the shop's API returns to a nightly run, and the run's parameters.

    days: orders by the day on which the shop received them, sorted; the API hides days after `today`.
    known: whether the lake already holds ordinary runs. before: the world of an extra run before this one.
    """

    shop: Shop
    days: dict[dt.date, list[dict]]
    goods: list[dict]
    as_of: dt.date = LAST
    today: dt.date = LAST
    full: bool = False
    known: bool = True
    pages: int = 0  # a wrong page count of the API; 0: the right one
    settings: dict[str, str] = field(default_factory=dict)
    before: "World | None" = None

    @property
    def orders(self):
        """The orders of the run's day."""
        return self.days[self.as_of]

    def with_days(self, days):
        """Returns the world with other orders on these days."""
        return replace(self, days=dict(sorted((self.days | days).items())))

    def at(self, day):
        """Returns the same shop with a run on another day."""
        return replace(self, as_of=day, today=day)

    def listed(self, since):
        """Returns the orders that the API lists from the date `since` on."""
        return [
            order
            for day, orders in self.days.items()
            if since <= str(day) <= str(self.today)
            for order in orders
        ]


@dataclass
class ShopApi:
    """The shop's API; it serves the data of the current world."""

    world: World

    def app(self):
        return Starlette(routes=[Route("/orders", self._orders), Route("/goods", self._goods)])

    async def _orders(self, request):
        listed = self.world.listed(request.query_params.get("since", "")[:10])
        page, size = (int(request.query_params[name]) for name in ("page", "per-page"))
        pages = self.world.pages or -(-len(listed) // size)
        return JSONResponse({"orders": listed[(page - 1) * size : page * size], "pageCount": pages})

    async def _goods(self, request):
        page, size = (int(request.query_params[name]) for name in ("page", "per-page"))
        goods = self.world.goods
        return JSONResponse(
            {"goods": goods[(page - 1) * size : page * size], "pageCount": -(-len(goods) // size)}
        )


@dataclass(frozen=True)
class Outcome:
    """Result of a run: the message that stopped it (or ''), and whether it replaced a table for training."""

    stopped: str
    replaced: bool
    seconds: float


def ordinary(seed):
    """Returns the demo shop with its usual dirt."""
    shop = Shop(start=START, seed=seed, customers=800, products=300, orders_per_day=150)
    dirt = Dirt(shop)
    days = {
        START + dt.timedelta(days=day.number): dirt.listing(day).orders
        for day in itertools.islice(shop.days(), DAYS + LATER)
    }
    listed = GoodsShelf(shop, dirt).on(DAYS - 1)
    return World(shop, days, [product | {"name": product["name"].translate(LETTERS)} for product in listed])


def night(api, world):
    """Runs a nightly run up to step `prepare`; returns its outcome."""
    api.world = world
    before, started = versions(), time.monotonic()
    stopped = ""
    try:
        run = nightly.begin(as_of=str(world.as_of), full=world.full)
        for step in ("extract", "validate", "prepare"):
            nightly.run(step, run)
    except NightshelfError as error:
        stopped = str(error)
        nightly.fail(run, stopped)
    return Outcome(stopped, versions() != before, time.monotonic() - started)


def night_in_copy(api, world, base, to):
    """Runs `world.before`, if any, then `world`, in a copy of the lake `base`; returns the last outcome.

    Unless `world.known`, the lake starts empty.
    """
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"LAKE": to, **world.settings}.items():
            patch.setenv(f"NIGHTSHELF_{name}", str(value))
        settings.cache_clear()
        shutil.rmtree(settings().home / "expectations", ignore_errors=True)  # Data Docs of other runs
        if world.known:
            shutil.copytree(base, to)
        if world.before:
            night(api, world.before)
        result = night(api, world)
    settings.cache_clear()
    shutil.rmtree(to, ignore_errors=True)
    return result


def versions():
    """Returns the versions of the tables that training reads; '' for a table that does not exist."""
    current = []
    for table in TRAINING_TABLES:
        try:
            current.append(Path(tables.current_path(table)).name)
        except NightshelfError:
            current.append("")
    return current


def generator(seed, name):
    """Returns a random generator that depends only on the seed and a case's name."""
    return np.random.default_rng((seed, zlib.crc32(name.encode())))


def busy(factor):
    """Case: the shop has this many times the orders on the run's day.

    A customer of the simulated shop orders at most once a day: a very busy day holds several simulated days.
    """
    simulated = math.ceil(factor / MOST_BUSY)

    def case(rng, world):
        shop = replace(world.shop, orders_per_day=round(factor / simulated * world.shop.orders_per_day))
        number = (world.as_of - shop.start).days
        dirt, listed = Dirt(shop), []
        for later, day in enumerate(itertools.islice(shop.days(), number, number + simulated)):
            listed += map(shift_time(days=-later), dirt.listing(day).orders)
        ids = itertools.count(world.orders[0]["id"])
        orders = sorted(listed, key=lambda order: order["createdAt"])
        return world.with_days({world.as_of: [order | {"id": next(ids)} for order in orders]})

    return case


# Building blocks of cases.


def on_last_day(change):
    """Case: changes the orders of the run's day."""
    return lambda rng, world: world.with_days({world.as_of: change(rng, world.orders)})


def on_visible_days(change, days=10):
    """Case: changes the orders of the last days, more than a run reads, so every order that it receives."""

    def case(rng, world):
        last = [day for day in world.days if world.as_of - dt.timedelta(days=days) < day <= world.as_of]
        return world.with_days({day: change(rng, world.days[day]) for day in last})

    return case


def known(change, days=1):
    """Case: changes the orders of the days before the run's day, which earlier runs have read."""

    def case(rng, world):
        before = [world.as_of - dt.timedelta(days=back) for back in range(1, days + 1)]
        return world.with_days({day: change(rng, world.days[day]) for day in before})

    return case


def goods(change):
    """Case: changes the list of goods."""
    return lambda rng, world: replace(world, goods=change(rng, world.goods))


def each(alter, share=1.0):
    """Change: alters this share of the orders (or goods)."""

    def change(rng, listed):
        mask = chosen(rng, len(listed), share)
        return [alter(item) if is_chosen else item for item, is_chosen in zip(listed, mask, strict=True)]

    return change


def each_line(alter, share=1.0):
    """Change: alters this share of the order lines."""

    def change(rng, orders):
        mask = iter(chosen(rng, sum(len(order["basket"]) for order in orders), share).tolist())
        return [
            order | {"basket": [alter(line) if next(mask) else line for line in order["basket"]]}
            for order in orders
        ]

    return change


def keep(share):
    """Change: keeps this share of the orders."""
    return lambda rng, orders: [
        order for order, is_kept in zip(orders, chosen(rng, len(orders), share), strict=True) if is_kept
    ]


def put(**fields):
    """Returns a function that sets fields of an order, a line or a product."""
    return lambda item: item | fields


def times(name, factor):
    """Returns a function that multiplies a field."""
    return lambda item: item | {name: round(item[name] * factor, 2)}


def renamed(old, new):
    """Returns a function that renames a field."""
    return lambda item: {new if name == old else name: value for name, value in item.items()}


def to(name, function):
    """Returns a function that applies `function` to a field; None stays None."""
    return lambda item: item if item[name] is None else item | {name: function(item[name])}


def shift_time(**by):
    """Returns a function that moves an order's time by days, hours and so on."""
    return to("createdAt", lambda text: f"{moment(text) + dt.timedelta(**by):%Y-%m-%dT%H:%M:%SZ}")


def moment(text):
    return dt.datetime.fromisoformat(text)


def hour(order):
    return moment(order["createdAt"]).hour


def chosen(rng, size, share):
    """Returns a random mask with this share of True, at least one unless the share is 0."""
    mask = np.zeros(size, bool)
    mask[rng.permutation(size)[: -int(-share * size // 1)]] = True
    return mask


def digits(text):
    return "".join(filter(str.isdigit, text))


def with_new_ids(orders, after=None):
    """Returns the orders with new ids that follow the ids of `after`, or their own."""
    first, last = min(order["id"] for order in orders), max(order["id"] for order in after or orders)
    return [order | {"id": last + 1 + order["id"] - first} for order in orders]


def phone(rng):
    """Returns a random phone number."""
    number = f"9{rng.integers(10**9):09}"
    return f"+7 ({number[:3]}) {number[3:6]}-{number[6:]}"


def new_customers(share):
    """Change: gives this share of the orders to new customers."""
    return lambda rng, orders: each(lambda order: order | {"clientTel": phone(rng)}, share)(rng, orders)
