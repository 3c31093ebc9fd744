"""The catalogue's history: every state of a product, with the day that it was seen first."""

import datetime as dt

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pipelines import columns as c
from pipelines.extract.source import Source
from pipelines.lake import tables
from serving.errors import NightshelfError

RAW_PRODUCTS = pa.schema(
    [(name, pa.string()) for name in (c.PRODUCT, c.NAME, c.CATEGORY, c.BRAND)]
    + [(c.PRICE, pa.float64()), (c.IN_STOCK, pa.bool_()), (c.WEIGHT, pa.float64())]
)
HISTORY = RAW_PRODUCTS.append(pa.field(c.SEEN_ON, pa.date32()))


def pull(source: Source, as_of: dt.date) -> int:
    """How many products changed since they were last seen; their new states are in the history.

    A product that the catalogue no longer lists is out of stock from now on. A day before the last
    that was seen stays as it was seen then.
    """
    history = _history(source.name)
    if (last := pc.max(history[c.SEEN_ON]).as_py()) and last > as_of:
        return 0
    now = source.products()
    if now is None:
        return 0
    before = history.filter(pc.less(history[c.SEEN_ON], as_of))  # this day's own are seen anew
    new = changed_products(known_on(before, as_of), now)
    seen = new.append_column(HISTORY.field(c.SEEN_ON), pa.repeat(pa.scalar(as_of), new.num_rows))
    tables.write(
        tables.RAW_PRODUCTS.format(source=source.name), pa.concat_tables([before, seen.cast(HISTORY)])
    )
    return int(new.num_rows)


def catalogue(source: str, as_of: dt.date) -> pa.Table | None:
    """All products as known on a day, in the schema RAW_PRODUCTS; None where the source has no list."""
    history = _history(source)
    return known_on(history, as_of) if history.num_rows else None


def known_on(history: pa.Table, as_of: dt.date) -> pa.Table:
    """The last state of each product seen up to a day; before the first day seen, that day's."""
    until = max(as_of, pc.min(history[c.SEEN_ON]).as_py() or as_of)
    rows = history.filter(pc.less_equal(history[c.SEEN_ON], until)).to_pandas()
    last = rows.sort_values(c.SEEN_ON, kind="stable").drop_duplicates(c.PRODUCT, keep="last")
    found = last.sort_values(c.PRODUCT)[RAW_PRODUCTS.names]
    return pa.Table.from_pandas(found, schema=RAW_PRODUCTS, preserve_index=False)


def changed_products(before: pa.Table, now: pa.Table) -> pa.Table:
    """The rows of now that before doesn't hold, and those products that are gone, out of stock."""
    once = now.to_pandas().dropna(subset=c.PRODUCT).drop_duplicates(c.PRODUCT)
    old = before.to_pandas()
    gone = old[~old[c.PRODUCT].isin(once[c.PRODUCT])].assign(**{c.IN_STOCK: False})
    rows = pd.concat([once, gone]).merge(old, on=RAW_PRODUCTS.names, how="left", indicator="known")
    new = rows[rows["known"] == "left_only"][RAW_PRODUCTS.names].sort_values(c.PRODUCT)
    return pa.Table.from_pandas(new, schema=RAW_PRODUCTS, preserve_index=False)


def with_missing_columns(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """The rows in a schema; a column that an older release didn't know is null."""
    lacking = [field for field in schema if field.name not in rows.schema.names]
    for field in lacking:
        rows = rows.append_column(field, pa.nulls(rows.num_rows, field.type))
    return rows.select(schema.names).cast(schema)


def _history(source: str) -> pa.Table:
    try:
        return with_missing_columns(tables.read(tables.RAW_PRODUCTS.format(source=source)), HISTORY)
    except NightshelfError:
        return HISTORY.empty_table()
