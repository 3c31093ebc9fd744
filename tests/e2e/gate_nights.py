"""Nightly runs on a simulated shop whose future is known, to check the model gate's decisions.

The simulator continues after the last day of a run, and what its customers then buy shows which of two models
is really better. `poisons` breaks the data or the code of such runs.
"""

import datetime as dt
import zlib
from dataclasses import dataclass
from itertools import islice

import numpy as np
import pyarrow as pa
from shops import catalogue

from pipelines import columns as c
from pipelines import nightly
from pipelines.demo.shop import Shop
from pipelines.evaluate import NDCG, backtest, summary
from pipelines.lake import tables
from pipelines.prepare.interactions import interactions
from pipelines.registry import versions
from pipelines.run import pins, tracking
from pipelines.run.night import Night
from pipelines.train import association_rules, regions
from serving.errors import BundleError, NightshelfError
from serving.recommend.lanes import LANES

FIRST = dt.date(2026, 9, 1)
HISTORY = 70  # days before the first run
AHEAD = 28  # days after a run, on which the real quality of a model is measured
NIGHTS = 30
TOLERANCE = 0.02  # of the champion's NDCG, as the gate's


@dataclass(frozen=True)
class World:
    """A shop's clean purchases as table `interactions`, including those after the last run."""

    rows: pa.Table
    products: list[str]

    def until(self, day):
        """Returns the purchases up to a day, inclusive."""
        return self.rows.filter(pa.compute.less_equal(self.rows[c.DAY], pa.scalar(day, pa.date32())))


@dataclass(frozen=True)
class Outcome:
    """Result of a nightly run; worth is NDCG@10 on the days after it, mean over the lanes."""

    verdict: str
    reasons: list[str]
    before: float  # worth of the champion before the run
    after: float  # worth of the version that the run registered


def world(seed, nights=NIGHTS):
    """Returns a simulated shop with the data of this many runs after the first, and of AHEAD days more."""
    shop = Shop(start=FIRST, seed=seed, customers=1500, products=400, orders_per_day=300)
    ids = [product.id for product in shop.catalogue]
    orders = {}
    for day in islice(shop.days(), HISTORY + nights + AHEAD):
        date = FIRST + dt.timedelta(days=day.number)
        for order, product in zip(day.order.tolist(), day.products.tolist(), strict=True):
            key = (f"c{day.customers[order]:04}", ids[product], date)
            orders[key] = orders.get(key, 0) + 1
    return World(table(orders), ids)


def table(counts):
    """Returns the table `interactions` from numbers of orders by (customer, product, day)."""
    customer, product, day = zip(*counts, strict=True)
    orders = np.array(list(counts.values()))
    return pa.table(
        {
            c.CUSTOMER: customer,
            c.PRODUCT: product,
            c.DAY: pa.array(day, pa.date32()),
            c.QUANTITY: orders.astype(float),
            c.RETURNED: np.zeros(len(orders)),
            c.ORDERS: orders.astype(np.int32),
        }
    )


def day_of(night):
    """Returns the last day of a run by its number; the first run has number 0."""
    return FIRST + dt.timedelta(days=HISTORY - 1 + night)


def prepared(world, number, seed, change=lambda rows: rows):
    """Returns a run whose tables are in the lake: the purchases up to its day, passed through `change`."""
    as_of = day_of(number)
    night = Night(as_of=as_of, source="files", path="", mapping="", sweep="quick", solver="implicit")
    night = night.model_copy(update={"run_id": tracking.begin(f"night-{as_of}", {"seed": seed})})
    rows = change(world.until(as_of))
    tables.write(tables.INTERACTIONS, rows)
    tables.write(tables.PRODUCTS, catalogue(set(rows[c.PRODUCT].to_pylist())))
    tables.write(tables.RULES, association_rules.SCHEMA.empty_table())
    tables.write(tables.GROUPS, regions.NO_REGIONS)
    pins.pin(night, tables.INTERACTIONS, tables.PRODUCTS, tables.RULES, tables.GROUPS)
    return night


def run_gate(night):
    """Runs the steps up to the gate on a prepared run; returns the gate's decision."""
    nightly.run("backtest_champion", night)
    for candidate in nightly.candidates(night):
        nightly.sweep(night, candidate)
    nightly.run("evaluate", night)
    nightly.run("register", night)
    return nightly.run("gate", night)


def run(world, number, seed, change=lambda rows: rows):
    """Runs all steps after preparation; returns the decision, the champion before, and the new version."""
    before = versions.champion()
    night = prepared(world, number, seed, change)
    decision = run_gate(night)
    nightly.run("publish", night)
    tracking.end(night.run_id)
    version = decision["version"]
    return decision, before.version if before else version, version


def outcome(world, number, seed, change=lambda rows: rows, mend=lambda: None):
    """Returns the outcome of a run; `mend` removes a poison of the code before worth is measured."""
    try:
        decision, before, after = run(world, number, seed, change)
    except NightshelfError as error:
        return Outcome("STOPPED", [str(error)], 0, 0)
    finally:
        mend()
    return Outcome(
        decision["verdict"],
        decision["reasons"],
        worth(world, before, day_of(number)),
        worth(world, after, day_of(number)),
    )


def worth(world, version, day):
    """Returns NDCG@10 of a version on the days after `day`, mean over the lanes; 0 if it can't be opened."""
    later = world.until(day + dt.timedelta(days=AHEAD))
    known = interactions(later, world.products)
    try:
        bundle = versions.bundle(version)
    except BundleError:
        return 0.0
    if not bundle.manifest["lanes"]:
        return 0.0
    truth = backtest.over_products(backtest.purchases_after(known, backtest.day_number(day)), bundle.products)
    measured = summary(backtest.evaluate(bundle, truth, "model")).get("model", {})
    return sum(lane[NDCG] for lane in measured.values()) / len(LANES)


def generator(seed, name):
    """Returns a random generator that depends only on the seed and a poison's name."""
    return np.random.default_rng((seed, zlib.crc32(name.encode())))
