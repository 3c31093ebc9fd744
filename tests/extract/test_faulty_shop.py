"""Nightly pulls from a shop with every kind of fault lose and duplicate no order."""

import datetime as dt
import random
from itertools import islice

import pytest
from homes import SOAK
from worlds import received

from pipelines import columns as c
from pipelines import extract
from pipelines.demo.api import app
from pipelines.demo.dirt import Dirt
from pipelines.demo.faults import Faults
from pipelines.demo.feed import GoodsShelf
from pipelines.demo.shop import Shop
from pipelines.extract import product_history, pulls, raw, versions
from pipelines.run.progress import silent
from pipelines.settings import settings
from serving.errors import NightshelfError

DAYS = 200 if SOAK else 30
SHOP = Shop(start=dt.date(2026, 1, 1), seed=7, customers=300, products=200, orders_per_day=45)
SHARES = {
    "server_error": 0.02,
    "too_many": 0.0007,
    "slow": 0.0005,
    "reset": 0.02,
    "truncated": 0.02,
    "malformed": 0.02,
    "duplicated": 0.03,
    "shifted": 0.03,
    "wrong_type": 0.004,
}
SETTINGS = {
    "SHOP_PASSWORD": "x",
    "SHOP_PAGE_SIZE": 15,
    "SHOP_RATE": 10_000,
    "SHOP_BACKOFF": 0.001,
    "SHOP_TIMEOUT": 1,
    "OVERLAP_DAYS": 2,
}


class FaultyShop:
    """The demo shop of a given day, with faults unless `calm` is set."""

    def __init__(self, faults):
        self.today, self.calm = SHOP.start, False
        no_faults = faults.model_copy(update=dict.fromkeys(SHARES, 0))
        self.with_faults, self.without_faults = (
            app(SHOP, "nightshelf", "x", lambda: self.today, chosen) for chosen in (faults, no_faults)
        )

    async def __call__(self, scope, receive, send):
        await (self.without_faults if self.calm else self.with_faults)(scope, receive, send)


def lines(order):
    return [
        (str(order["id"]), order["createdAt"], order["clientTel"], line["goodsId"], str(line["quantity"]))
        for line in order["basket"]
    ]


def pull(shop, as_of, full):
    """Pulls, and again without faults if that fails; returns the error message, or None."""
    source = extract.source("shop-api", "", "")
    try:
        shop.calm = False
        pulls.pull(source, as_of, full, silent)
    except NightshelfError as error:
        shop.calm = True
        pulls.pull(source, as_of, full, silent)
        return str(error)
    return None


def test_each_pull_loses_and_duplicates_no_order_or_names_its_cause_and_succeeds_on_the_next_try(
    home, monkeypatch, serve, seed
):
    rng = random.Random(seed)
    quiet = frozenset(rng.sample(range(DAYS), 10))
    faults = Faults(seed=seed, growth=1, slow_seconds=1.3, retry_after=1, quiet_days=quiet, **SHARES)
    shop = FaultyShop(faults)
    values = SETTINGS | {"SHOP_URL": serve(shop)}
    for name, value in values.items():
        monkeypatch.setenv(f"NIGHTSHELF_{name}", str(value))
    settings.cache_clear()
    source = extract.source("shop-api", "", "")
    truth, seen, causes, read = set(), {}, [], set()
    for day in islice(SHOP.days(), DAYS):
        as_of = SHOP.start + dt.timedelta(days=day.number)
        shop.today = as_of + dt.timedelta(days=1)
        if day.number not in quiet:
            truth |= {line for order in Dirt(SHOP).listing(day).orders for line in lines(order)}
        if not truth:
            continue
        cause = pull(shop, as_of, full=rng.random() < 0.02)
        causes += [cause] if cause else []
        for table in sorted(set(raw.pulls(source.name)) - read, key=lambda name: name.rpartition("=")[2]):
            names = [c.ORDER_ID, c.ORDERED_AT, c.CUSTOMER, c.PRODUCT, c.QUANTITY]
            rows = versions.newest_versions(
                raw.read([table], [*names, c.LINE, c.SOURCE, *raw.VERSION]).to_pandas()
            )
            rows = rows.drop_duplicates([c.ORDER_ID, c.LINE])[names]  # the same order twice on a page
            seen |= {
                order_id: list(map(tuple, part.to_numpy())) for order_id, part in rows.groupby(c.ORDER_ID)
            }
            read.add(table)
        received_lines = [line for order in seen.values() for line in order if line[1][:10] <= str(as_of)]
        assert len(received_lines) == len(set(received_lines)), f"duplicates on day {day.number}"
        assert set(received_lines) == truth, f"day {day.number}"
    assert sorted(line[:5] for line in received(source, str(as_of))) == sorted(truth)
    assert all(
        "/orders page" in cause or "/goods page" in cause or "kept changing" in cause for cause in causes
    )
    assert [cause for cause in causes if "\n" in cause] == []
    shelf = GoodsShelf(SHOP, Dirt(SHOP)).on(DAYS)
    assert product_history.catalogue(source.name, as_of)[c.PRODUCT].to_pylist() == sorted(
        good["id"] for good in shelf
    )
    print(f"{len(causes)} of {DAYS} pulls failed at first")
    assert 0 < len(causes) < DAYS


@pytest.mark.parametrize("kind", SHARES)
def test_each_fault_alone_loses_no_order(home, monkeypatch, serve, seed, kind):
    """About a third of all responses have the fault, or a twentieth if it takes long."""
    shop = FaultyShop(
        Faults(
            seed=seed,
            slow_seconds=1.3,
            retry_after=1,
            **{kind: 0.05 if kind in ("too_many", "slow") else 0.3},
        )
    )
    values = SETTINGS | {"SHOP_URL": serve(shop), "SHOP_TRIES": 20}
    for name, value in values.items():
        monkeypatch.setenv(f"NIGHTSHELF_{name}", str(value))
    settings.cache_clear()
    shop.today = SHOP.start + dt.timedelta(days=3)
    truth = {
        line
        for day in islice(SHOP.days(), 3)
        for order in Dirt(SHOP).listing(day).orders
        for line in lines(order)
    }
    cause = pull(shop, shop.today, full=False)
    assert (cause is None) or kind in ("wrong_type", "duplicated", "shifted"), cause
    received_lines = [line[:5] for line in received(extract.source("shop-api", "", ""))]
    assert sorted(received_lines) == sorted(truth)
