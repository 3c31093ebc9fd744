"""Samples customers with their whole histories, and tests whether the sample is representative.

A model trained on a sample is for experiments only: its customers are pseudonyms of pseudonyms, so no shop
can request recommendations for a customer.
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
    """Writes the order lines of a sample of customers to a Parquet file; returns a report on the sample.

    Raises NightshelfError if the sample is empty or the file can't be written.
    """
    if not 0 < fraction < 1:
        raise NightshelfError(f"--fraction is {fraction}: pass a number between 0 and 1, such as 0.1")
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
    """Returns which customers are in the sample, (C,) bool.

    With the same seed a larger fraction contains a smaller one. Raises NightshelfError for an empty sample.
    """
    chosen = np.array([_position(customer, seed) < fraction for customer in customers], dtype=bool)
    if not len(chosen):
        raise NightshelfError("table `orders` has no customers to sample, only guests")
    if not chosen.any():
        raise NightshelfError(
            f"--fraction {fraction} selects none of {len(chosen):,} customers: pass a larger one"
        )
    return chosen


def _position(customer: str, seed: int) -> float:
    """Returns a number from 0 to 1 that is random but fixed for customer and seed."""
    digest = hashlib.blake2b(f"{seed} {customer}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) / 2**64


def _described(lines: pa.Table, products: pa.Table) -> pa.Table:
    """Returns order lines with the name, category and brand of their product, and times in UTC."""
    if c.GROUP not in lines.column_names:  # a table of an earlier release
        lines = lines.append_column(c.GROUP, pa.nulls(len(lines), pa.string()))
    index = lines.column_names.index(c.ORDERED_AT)
    lines = lines.set_column(index, c.ORDERED_AT, lines[c.ORDERED_AT].cast(pa.timestamp("us", "UTC")))
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
            f"{to} can't be written ({error.strerror}): pass --to a file in an existing folder"
        ) from None


def _table(comparisons: list[Comparison]) -> Table:
    table = Table()
    table.add_column("distribution")
    table.add_column("figure")
    for heading in ("whole", "sample", "distance", "p"):
        table.add_column(heading, justify="right")
    for comparison in comparisons:
        table.add_row(
            comparison.name,
            "mean" if comparison.ordered else "largest share",
            f"{comparison.whole:.4f}",
            f"{comparison.sample:.4f}",
            f"{'KS' if comparison.ordered else 'TV'} {comparison.distance:.4f}",
            f"{comparison.p:.3f}",
        )
    return table
