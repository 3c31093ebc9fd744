"""Small shops, for tests whose expected results follow from arithmetic."""

import datetime as dt
from itertools import islice

import numpy as np
import pyarrow as pa

from pipelines import columns as c
from pipelines.demo.shop import Shop
from pipelines.prepare.interactions import Interactions, date_of, day_number, interactions


def interactions_of(rows, products=None):
    """Returns interactions of rows (customer, product, day, bought, returned), with days since 1970."""
    names = (c.CUSTOMER, c.PRODUCT, c.DAY, c.QUANTITY, c.RETURNED)
    table = pa.table({name: [row[i] for row in rows] for i, name in enumerate(names)})
    table = table.set_column(2, c.DAY, pa.array([date_of(row[2]) for row in rows], pa.date32()))
    for name in (c.QUANTITY, c.RETURNED):
        table = table.set_column(table.schema.get_field_index(name), name, table[name].cast(pa.float64()))
    table = table.append_column(c.ORDERS, pa.array([int(row[3] > 0) for row in rows], pa.int32()))
    return interactions(table, sorted(products or {row[1] for row in rows}))


def catalogue(products):
    """Returns a table `products` with the given ids."""
    n = len(products)
    return pa.table(
        {
            c.PRODUCT: sorted(products),
            c.NAME: [f"Product {product}" for product in sorted(products)],
            c.CATEGORY: ["things"] * n,
            c.BRAND: ["ours"] * n,
            c.PRICE: [1.0] * n,
            c.IN_STOCK: [True] * n,
            c.PLACEHOLDER: [False] * n,
        }
    )


def checkerboard(size=40):
    """Returns a shop where customer u bought product p if u + p is even and u != p.

    A good model recommends to each customer u the product p = u, the only one left of the pattern.
    """
    rows = [
        (f"c{u:02}", f"p{p:02}", 100, 1, 0)
        for u in range(size)
        for p in range(size)
        if (u + p) % 2 == 0 and u != p
    ]
    return interactions_of(rows, [f"p{p:02}" for p in range(size)])


def random_shop(seed, rows=400, customers=30, products=20, days=50) -> Interactions:
    """Returns random interactions, a tenth of them returns."""
    rng = np.random.default_rng(seed)
    drawn = {
        (f"c{rng.integers(customers):02}", f"p{rng.integers(products):02}", int(rng.integers(1, days + 1))): (
            int(rng.integers(1, 4)),
            int(rng.random() < 0.1),
        )
        for _ in range(rows)
    }
    return interactions_of(
        [(*key, *value) for key, value in drawn.items()], [f"p{p:02}" for p in range(products)]
    )


DEMO = Shop(start=dt.date(2026, 9, 1), customers=2000, products=500, orders_per_day=500)


def demo(days) -> Interactions:
    """Returns the clean interactions of the demo shop's first days."""
    first = day_number(DEMO.start)
    rows = {
        (f"c{day.customers[order]:04}", DEMO.catalogue[product].id, first + day.number, 1, 0)
        for day in islice(DEMO.days(), days)
        for order, product in zip(day.order, day.products, strict=True)
    }
    return interactions_of(sorted(rows), [product.id for product in DEMO.catalogue])


def demo_baskets(days):
    """Returns (customer, products) of every clean order in the demo shop's first days."""
    rows = []
    for day in islice(DEMO.days(), days):
        ends = np.searchsorted(day.order, np.arange(1, len(day.ids)))
        for customer, products in zip(day.customers, np.split(day.products, ends), strict=True):
            rows.append((f"c{customer:04}", [DEMO.catalogue[product].id for product in products]))
    return rows
