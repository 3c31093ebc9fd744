"""The history of the catalogue: every state of a product, with the first day on which it was seen."""

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
    """Adds the source's changed products to the history, and returns their number.

    A product that the catalogue no longer lists becomes out of stock. If the history already holds a later
    day, nothing is fetched or changed.
    """
    history = _history(source.name)
    if (last := pc.max(history[c.SEEN_ON]).as_py()) and last > as_of:
        return 0
    catalogue = source.products()
    if catalogue is None:
        return 0
    before = history.filter(pc.less(history[c.SEEN_ON], as_of))  # replaces states seen earlier on this day
    new = changed_products(known_on(before, as_of), catalogue)
    seen = new.append_column(HISTORY.field(c.SEEN_ON), pa.repeat(pa.scalar(as_of), new.num_rows))
    tables.write(
        tables.RAW_PRODUCTS.format(source=source.name), pa.concat_tables([before, seen.cast(HISTORY)])
    )
    return int(new.num_rows)


def catalogue(source: str, as_of: dt.date) -> pa.Table | None:
    """Returns all products as known on a day, in RAW_PRODUCTS, or None if the source has no catalogue."""
    history = _history(source)
    return known_on(history, as_of) if history.num_rows else None


def known_on(history: pa.Table, as_of: dt.date) -> pa.Table:
    """Returns the last state of each product up to a day; for a day before the history, the first states."""
    until = max(as_of, pc.min(history[c.SEEN_ON]).as_py() or as_of)
    rows = history.filter(pc.less_equal(history[c.SEEN_ON], until)).to_pandas()
    states = rows.sort_values(c.SEEN_ON, kind="stable").drop_duplicates(c.PRODUCT, keep="last")
    states = states.sort_values(c.PRODUCT)[RAW_PRODUCTS.names]
    return pa.Table.from_pandas(states, schema=RAW_PRODUCTS, preserve_index=False)


def changed_products(before: pa.Table, now: pa.Table) -> pa.Table:
    """Returns the new and changed products of `now`, and those missing from it, marked as out of stock."""
    listed = now.to_pandas().dropna(subset=c.PRODUCT).drop_duplicates(c.PRODUCT)
    old = before.to_pandas()
    missing = old[~old[c.PRODUCT].isin(listed[c.PRODUCT])].assign(**{c.IN_STOCK: False})
    rows = pd.concat([listed, missing]).merge(old, on=RAW_PRODUCTS.names, how="left", indicator="known")
    changed = rows[rows["known"] == "left_only"][RAW_PRODUCTS.names].sort_values(c.PRODUCT)
    return pa.Table.from_pandas(changed, schema=RAW_PRODUCTS, preserve_index=False)


def with_missing_columns(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """Returns the rows in a schema; columns that an older release did not write become null."""
    for field in schema:
        if field.name not in rows.schema.names:
            rows = rows.append_column(field, pa.nulls(rows.num_rows, field.type))
    return rows.select(schema.names).cast(schema)


def _history(source: str) -> pa.Table:
    try:
        return with_missing_columns(tables.read(tables.RAW_PRODUCTS.format(source=source)), HISTORY)
    except NightshelfError:
        return HISTORY.empty_table()
