"""A sample of customers with their whole histories, and the proof that it is like the whole.

A model that learns from it knows its customers by the pseudonyms of their pseudonyms: it is for trying
things out, and no shop can ask it about a customer.
"""

import hashlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from rich.console import Group
from rich.table import Table

from pipelines import columns as c
from pipelines.compare.representative import Comparison, compare, distributions, verdict
from pipelines.lake import tables
from serving.bundle import atomic
from serving.bundle.format import Array
from serving.errors import NightshelfError


def sample(fraction: float, to: Path, seed: int) -> Group:
    """The report on a sample whose lines are now in a Parquet file.

    Raises NightshelfError where nothing can be drawn or written.
    """
    if not 0 < fraction < 1:
        raise NightshelfError(f"--fraction is {fraction}: give a share between 0 and 1, as 0.1")
    orders, products = tables.read(tables.ORDERS), tables.read(tables.PRODUCTS)
    known = _described(orders.filter(pc.is_valid(orders[c.CUSTOMER])), products)
    customers = pc.unique(known[c.CUSTOMER]).sort()
    chosen = draw_customers(customers.to_pylist(), fraction, seed)
    histories = known.filter(pc.is_in(known[c.CUSTOMER], customers.filter(pa.array(chosen))))
    _write(histories, to)
    counts = (
        f"{chosen.sum():,} of {len(chosen):,} customers, {len(histories):,} of {len(known):,} order lines;"
        f" {len(orders) - len(known):,} lines of guests left out"
    )
    comparisons = compare(distributions(known, customers), chosen, seed)
    return Group(counts, _table(comparisons), verdict(comparisons))


def draw_customers(customers: list[str], fraction: float, seed: int) -> Array:
    """Who is in the sample, (C,) bool: a larger fraction of the same seed adds to a smaller one.

    Raises NightshelfError where nobody is.
    """
    found = np.array([_place(customer, seed) < fraction for customer in customers], dtype=bool)
    if not len(found):
        raise NightshelfError("the table orders names no customer, there are guests alone: nobody to draw")
    if not found.any():
        raise NightshelfError(
            f"--fraction {fraction} draws none of {len(found):,} customers: give a larger one"
        )
    return found


def _place(customer: str, seed: int) -> float:
    """Where between 0 and 1 a customer stands, for ever."""
    digest = hashlib.blake2b(f"{seed} {customer}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) / 2**64


def _described(lines: pa.Table, products: pa.Table) -> pa.Table:
    """Order lines with name, category and brand of their product, and times that say they are UTC."""
    if c.GROUP not in lines.column_names:  # a night of an earlier release wrote them
        lines = lines.append_column(c.GROUP, pa.nulls(len(lines), pa.string()))
    at = lines.column_names.index(c.ORDERED_AT)
    lines = lines.set_column(at, c.ORDERED_AT, lines[c.ORDERED_AT].cast(pa.timestamp("us", "UTC")))
    product = products.take(pc.index_in(lines[c.PRODUCT], products[c.PRODUCT]))
    for name in (c.NAME, c.CATEGORY, c.BRAND):
        lines = lines.append_column(name, product[name])
    return lines


def _write(rows: pa.Table, to: Path) -> None:
    try:
        with atomic.replacing(to) as file:
            pq.write_table(rows, file)
    except OSError as error:
        raise NightshelfError(
            f"{to} can't be written ({error.strerror}): give --to a file in a folder that is there"
        ) from None


def _table(comparisons: list[Comparison]) -> Table:
    table = Table()
    table.add_column("distribution")
    table.add_column("figure")
    for heading in ("whole", "sample", "distance", "p"):
        table.add_column(heading, justify="right")
    for one in comparisons:
        table.add_row(
            one.name,
            "mean" if one.ordered else "largest share",
            f"{one.whole:.4f}",
            f"{one.sample:.4f}",
            f"{'KS' if one.ordered else 'TV'} {one.distance:.4f}",
            f"{one.p:.3f}",
        )
    return table
