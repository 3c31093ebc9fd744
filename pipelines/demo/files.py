"""The demo shop's order lines as Parquet files, for simulated shops that are too large for the paged API."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines import columns as c
from pipelines.demo.chance import Stream, generator
from pipelines.demo.dirt import PLACEHOLDER_PHONES, Dirt
from pipelines.demo.shop import Day, Shop


def write(shop: Shop, lines: int, folder: Path) -> int:
    """Writes whole days until there are at least `lines` lines, and returns how many were written.

    One Parquet file per day, with the columns of the mapping `nightshelf`. The lines have the data errors of
    the API, except for duplicate orders and the formats of phone numbers.
    """
    folder.mkdir(parents=True, exist_ok=True)
    dirt, goods, written = Dirt(shop), _goods(shop), 0
    customers = pa.array(dirt.phones), pa.array(dirt.regions)
    for day in shop.days():
        if written >= lines:
            break
        rows = _lines(dirt, day, goods, *customers)
        pq.write_table(rows, folder / f"{day.times[0].astype('M8[D]')}.parquet")
        written += rows.num_rows
    return written


def _goods(shop: Shop) -> pa.Table:
    """The product columns of a line; row i is the product with index i."""
    rows = [(product.id, product.name, product.category, product.brand) for product in shop.catalogue]
    return pa.table(list(zip(*rows, strict=True)), [c.PRODUCT, c.NAME, c.CATEGORY, c.BRAND])


def _lines(dirt: Dirt, day: Day, goods: pa.Table, phones: pa.Array, regions: pa.Array) -> pa.Table:
    rng = generator(dirt.shop.seed, Stream.DIRT, day.number)
    spoiled = dirt.spoiled(rng, day)
    clients = phones.take(pa.array(day.customers, mask=spoiled.anonymous)).to_numpy(zero_copy_only=False)
    clients[spoiled.placeholder] = rng.choice(PLACEHOLDER_PHONES, int(spoiled.placeholder.sum()))
    order = pa.array(day.order)
    orders = {
        c.ORDER_ID: pa.array(day.ids).take(order),
        c.ORDERED_AT: pa.array(day.times).take(order),
        c.CUSTOMER: pa.array(clients, pa.string()).take(order),
        c.GROUP: regions.take(pa.array(day.customers)).take(order),
        c.QUANTITY: np.where(spoiled.empty, 0, day.quantities),
        c.UNIT_PRICE: day.prices,
    }
    products = goods.take(pa.array(day.products))
    return pa.table(orders | {name: products[name] for name in products.column_names})
