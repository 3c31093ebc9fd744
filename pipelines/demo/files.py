"""The demo shop's orders as files of lines, one a day: for shops too large to be asked page by page."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines import columns as c
from pipelines.demo.chance import Stream, generator
from pipelines.demo.dirt import PLACEHOLDER_PHONES, Dirt
from pipelines.demo.shop import Day, Shop


def write(shop: Shop, lines: int, folder: Path) -> int:
    """The number of lines written: whole days from the first on, until there are `lines` of them.

    One Parquet file a day, with the columns that the mapping `nightshelf` names. They have the dirt that
    the API lists, but for what comes of pages: repeated orders, and shapes of phone numbers.
    """
    folder.mkdir(parents=True, exist_ok=True)
    dirt, goods, written = Dirt(shop), _goods(shop), 0
    people = pa.array(dirt.phones), pa.array(dirt.regions)
    for day in shop.days():
        if written >= lines:
            break
        rows = _lines(dirt, day, goods, *people)
        pq.write_table(rows, folder / f"{day.times[0].astype('M8[D]')}.parquet")
        written += rows.num_rows
    return written


def _goods(shop: Shop) -> pa.Table:
    """What a line tells of its product, by product index."""
    told = [(one.id, one.name, one.category, one.brand) for one in shop.catalogue]
    return pa.table(list(zip(*told, strict=True)), [c.PRODUCT, c.NAME, c.CATEGORY, c.BRAND])


def _lines(dirt: Dirt, day: Day, goods: pa.Table, phones: pa.Array, regions: pa.Array) -> pa.Table:
    rng = generator(dirt.shop.seed, Stream.DIRT, day.number)
    spoiled = dirt.spoiled(rng, day)
    clients = phones.take(pa.array(day.customers, mask=spoiled.anonymous)).to_numpy(zero_copy_only=False)
    clients[spoiled.placeholder] = rng.choice(PLACEHOLDER_PHONES, int(spoiled.placeholder.sum()))
    owner = pa.array(day.order)
    orders = {
        c.ORDER_ID: pa.array(day.ids).take(owner),
        c.ORDERED_AT: pa.array(day.times).take(owner),
        c.CUSTOMER: pa.array(clients, pa.string()).take(owner),
        c.GROUP: regions.take(pa.array(day.customers)).take(owner),
        c.QUANTITY: np.where(spoiled.empty, 0, day.quantities),
        c.UNIT_PRICE: day.prices,
    }
    products = goods.take(pa.array(day.products))
    return pa.table(orders | {name: products[name] for name in products.column_names})
