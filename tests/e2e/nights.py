"""A shop whose last night every case changes in its own way, and what that night gets.

A case is a function of a random generator and the ordinary world to a changed world. A change is one of
a generator and a list of orders, or of goods, to another list.
"""

import datetime as dt
import shutil
import time
import zlib
from dataclasses import dataclass, field, replace
from itertools import islice
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
LATER = 2  # days that are simulated after the last
LETTERS = str.maketrans("aeo", "äéö")  # the shop writes its names in a language of its own
LEARNED = (tables.ORDERS, tables.INTERACTIONS)  # what training reads of orders


@dataclass(frozen=True)
class World:
    """What the shop shows to a night, and how that night is run.

    days: the orders by the day on which the shop took them in, ascending; those after today are hidden.
    known: whether ordinary nights passed before. before: a world that a night met before this one.
    """

    shop: Shop
    days: dict[dt.date, list[dict]]
    goods: list[dict]
    as_of: dt.date = LAST
    today: dt.date = LAST
    full: bool = False
    known: bool = True
    pages: int = 0  # where the shop says so, wrongly
    settings: dict[str, str] = field(default_factory=dict)
    before: "World | None" = None

    @property
    def orders(self):
        """Those of the night's own day."""
        return self.days[self.as_of]

    def with_days(self, days):
        return replace(self, days=dict(sorted((self.days | days).items())))

    def at(self, day):
        """The same shop on the night of another day."""
        return replace(self, as_of=day, today=day)

    def listed(self, since):
        return [
            one for day, orders in self.days.items() if since <= str(day) <= str(self.today) for one in orders
        ]


@dataclass
class Window:
    """The shop's API: it shows the world of now."""

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
    """What a night got: the sentence that stopped it, or nothing; and whether training's tables are new."""

    stopped: str
    learned: bool
    seconds: float


def ordinary(seed):
    """The demo shop as it is, with the dirt it has."""
    shop = Shop(start=START, seed=seed, customers=800, products=300, orders_per_day=150)
    dirt = Dirt(shop)
    days = {
        START + dt.timedelta(days=day.number): dirt.listing(day).orders
        for day in islice(shop.days(), DAYS + LATER)
    }
    listed = GoodsShelf(shop, dirt).on(DAYS - 1)
    return World(shop, days, [one | {"name": one["name"].translate(LETTERS)} for one in listed])


def night(window, world):
    """Runs the steps up to the training of a night, as the settings are."""
    window.world = world
    before, started = versions(), time.monotonic()
    stopped = ""
    try:
        now = nightly.begin(as_of=str(world.as_of), full=world.full)
        for step in ("extract", "validate", "prepare"):
            nightly.run(step, now)
    except NightshelfError as error:
        stopped = str(error)
        nightly.fail(now, stopped)
    return Outcome(stopped, versions() != before, time.monotonic() - started)


def night_apart(window, world, base, to):
    """Runs a night, and first the one before it if there is one, in a copy of the lake `base` or in none."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"LAKE": to, **world.settings}.items():
            patch.setenv(f"NIGHTSHELF_{name}", str(value))
        settings.cache_clear()
        shutil.rmtree(settings().home / "expectations", ignore_errors=True)  # Data Docs of all others
        if world.known:
            shutil.copytree(base, to)
        if world.before:
            night(window, world.before)
        got = night(window, world)
    settings.cache_clear()
    shutil.rmtree(to, ignore_errors=True)
    return got


def versions():
    """The version of each table that training reads; none before the first night."""
    found = []
    for table in LEARNED:
        try:
            found.append(Path(tables.current_path(table)).name)
        except NightshelfError:
            found.append("")
    return found


def generator(seed, name):
    return np.random.default_rng((seed, zlib.crc32(name.encode())))


def busy(factor):
    """The case of a night with this many times the orders, as a shop of that size would have them."""

    def case(rng, world):
        shop = replace(world.shop, orders_per_day=round(factor * world.shop.orders_per_day))
        number = (world.as_of - shop.start).days
        orders = Dirt(shop).listing(next(islice(shop.days(), number, None))).orders
        shift = world.orders[0]["id"] - orders[0]["id"]
        return world.with_days({world.as_of: [one | {"id": one["id"] + shift} for one in orders]})

    return case


# What changes are made of.


def tonight(change):
    """The case that changes the orders of the night's day."""
    return lambda rng, world: world.with_days({world.as_of: change(rng, world.orders)})


def shown(change, days=10):
    """The case that changes the orders of these last days, more than a night asks for: all that it sees."""

    def case(rng, world):
        last = [day for day in world.days if world.as_of - dt.timedelta(days=days) < day <= world.as_of]
        return world.with_days({day: change(rng, world.days[day]) for day in last})

    return case


def known(change, days=1):
    """The case that changes the orders of these days before the night's, which are known."""

    def case(rng, world):
        before = [world.as_of - dt.timedelta(days=back) for back in range(1, days + 1)]
        return world.with_days({day: change(rng, world.days[day]) for day in before})

    return case


def goods(change):
    """The case that changes the list of goods."""
    return lambda rng, world: replace(world, goods=change(rng, world.goods))


def each(alter, share=1.0):
    """The change of this share of all orders, or of all goods."""

    def change(rng, listed):
        hit = chosen(rng, len(listed), share)
        return [alter(one) if taken else one for one, taken in zip(listed, hit, strict=True)]

    return change


def each_line(alter, share=1.0):
    """The change of this share of all lines."""

    def change(rng, orders):
        hit = iter(chosen(rng, sum(len(one["basket"]) for one in orders), share).tolist())
        return [
            one | {"basket": [alter(line) if next(hit) else line for line in one["basket"]]} for one in orders
        ]

    return change


def keep(share):
    """The change that leaves this share of the orders."""
    return lambda rng, orders: [
        one for one, kept in zip(orders, chosen(rng, len(orders), share), strict=True) if kept
    ]


def put(**fields):
    return lambda one: one | fields


def times(name, factor):
    return lambda one: one | {name: round(one[name] * factor, 2)}


def renamed(old, new):
    return lambda one: {new if name == old else name: value for name, value in one.items()}


def to(name, function):
    """What alters a field by a function; nothing stays nothing."""
    return lambda one: one if one[name] is None else one | {name: function(one[name])}


def moved(**by):
    """What moves an order's time, by days, hours and so on."""
    return to("createdAt", lambda text: f"{moment(text) + dt.timedelta(**by):%Y-%m-%dT%H:%M:%SZ}")


def moment(text):
    return dt.datetime.fromisoformat(text)


def hour(order):
    return moment(order["createdAt"]).hour


def chosen(rng, size, share):
    """A mask of this share of places, at least one where the share is not 0."""
    mask = np.zeros(size, bool)
    mask[rng.permutation(size)[: -int(-share * size // 1)]] = True
    return mask


def digits(text):
    return "".join(filter(str.isdigit, text))


def again(orders, after=None):
    """The same orders under the ids that follow on them, or on others."""
    first, last = min(one["id"] for one in orders), max(one["id"] for one in after or orders)
    return [one | {"id": last + 1 + one["id"] - first} for one in orders]


def phone(rng):
    number = f"9{rng.integers(10**9):09}"
    return f"+7 ({number[:3]}) {number[3:6]}-{number[6:]}"


def new_customers(share):
    """The change that gives this share of the orders to customers never seen."""
    return lambda rng, orders: each(lambda one: one | {"clientTel": phone(rng)}, share)(rng, orders)
