"""Batch export: the recommendations of every customer, or the alternatives to every product, in one table."""

import logging
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from rich.console import Console
from rich.progress import Progress

from pipelines import columns as c
from pipelines.batch import targets, workers
from pipelines.batch.workers import CustomerBatch, ProductBatch
from pipelines.extract import raw
from pipelines.settings import customer_key, settings
from serving.bundle.files import load
from serving.bundle.format import find_rows, texts
from serving.live import customers as customer_rows
from serving.live import events
from serving.live.identity import IdentityRule, canonical, keyed_hash, rule_of
from serving.live.registry import champion, download
from serving.live.served import Served
from serving.recommend.lanes import Lane

BATCH = 512  # customers or products per batch

log = logging.getLogger(__name__)


def export_customers(to: str, n: int, lanes: Iterable[Lane], table: str, pseudonyms: bool = False) -> int:
    """Exports the champion's recommendations; returns the number of customers.

    to, table: see `targets.open_target`. n: the maximum number of products per customer and lane.
    pseudonyms: whether the rows identify customers by pseudonym; if False, by the shop's own id, and
    customers whose id is missing from raw/ are left out, with a warning. Customers known by events alone are
    included.
    """
    with tempfile.TemporaryDirectory() as folder:
        bundle = download(champion(settings()), Path(folder))
        return write_customers(bundle, to, n, lanes, table, pseudonyms)


def export_products(to: str, n: int, table: str) -> int:
    """Exports at most n alternatives to each product of the champion; returns the number of products."""
    with tempfile.TemporaryDirectory() as folder:
        return write_products(download(champion(settings()), Path(folder)), to, n, table)


def write_customers(
    bundle: Path, to: str, n: int, lanes: Iterable[Lane], table: str, pseudonyms: bool = False
) -> int:
    """Like `export_customers`, from the bundle in a folder."""
    served = workers.load_served(bundle)
    customers, active = _customers(served)
    ids = customers if pseudonyms else _own_ids(customers, rule_of(served.bundle.manifest))
    customers, ids = customers.filter(pc.is_valid(ids)), ids.drop_null()
    batches = _customer_batches(customers, ids, active, tuple(dict.fromkeys(lanes)), n)
    results = workers.process_batches(bundle, workers.recommend, batches)
    _write(to, workers.CUSTOMER_SCHEMA, [c.CUSTOMER, c.LANE, c.RANK], table, results, len(customers))
    return len(customers)


def write_products(bundle: Path, to: str, n: int, table: str) -> int:
    """Like `export_products`, from the bundle in a folder."""
    count = len(load(bundle).products)
    batches = (ProductBatch(range(start, min(start + BATCH, count)), n) for start in range(0, count, BATCH))
    results = workers.process_batches(bundle, workers.find_alternatives, batches)
    _write(to, workers.PRODUCT_SCHEMA, [c.PRODUCT, c.RANK], table, results, count)
    return count


def _write(
    to: str, schema: pa.Schema, key: list[str], table: str, results: Iterator[pa.Table], total: int
) -> None:
    console = Console(stderr=True)
    with (
        targets.open_target(to, schema, key, table) as write,
        Progress(console=console, transient=True, disable=not console.is_terminal) as progress,
    ):
        task = progress.add_task("export", total=total)
        for rows in results:
            write(rows)
            progress.advance(task, BATCH)


def _customers(served: Served) -> tuple[pa.Array, set[str]]:
    """Returns the pseudonyms of all customers that the service knows, and the set of those with events.

    Forgotten customers are left out.
    """
    bundle, active = served.bundle, set[str]()
    if served.changes is not None:
        active = events.customers(served.changes.store)
    new = [
        customer
        for customer in sorted(active)
        if bundle.customer(customer) is None and customer_rows.current(served, customer)[1] is not None
    ]
    forgotten = find_rows(bundle.customers, list(bundle.forgotten))
    is_known = np.ones(len(bundle.customers), bool)
    is_known[forgotten[forgotten >= 0]] = False
    if served.changes is not None:
        served.changes.store.close()
    pseudonyms = np.concatenate([bundle.customers[is_known], texts(new)])
    return pa.array(pseudonyms, pa.binary()).cast(pa.string()), active


def _own_ids(customers: pa.Array, rule: IdentityRule) -> pa.Array:
    """Returns the canonical id of each pseudonym; null for an id that is missing from raw/."""
    received = {customer for source in raw.sources() for customer in raw.customers(source)}
    ids = sorted({canonical(customer, rule) for customer in received} - {""})
    key = customer_key()
    index = pc.index_in(customers, pa.array([keyed_hash(customer, key) for customer in ids], pa.string()))
    if index.null_count:
        log.warning(
            "%d customers are left out, because raw/ lacks their ids: use --pseudonyms to export them",
            index.null_count,
        )
    return pa.array(ids, pa.string()).take(index)


def _customer_batches(
    customers: pa.Array, ids: pa.Array, active: set[str], lanes: tuple[Lane, ...], n: int
) -> Iterator[CustomerBatch]:
    for start in range(0, len(customers), BATCH):
        batch, batch_ids = (column.slice(start, BATCH).to_pylist() for column in (customers, ids))
        yield CustomerBatch(batch, batch_ids, frozenset(active.intersection(batch)), lanes, n)
