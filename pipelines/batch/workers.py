"""A pool of processes, one per core, that computes recommendations batch by batch with the service's code."""

import itertools
import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import pyarrow as pa
from threadpoolctl import threadpool_limits

from pipelines import columns as c
from pipelines.settings import settings
from serving.bundle.files import load
from serving.bundle.format import Array, find_rows
from serving.errors import NightshelfError
from serving.http import endpoints
from serving.http.requests import ListQuery, PersonalQuery
from serving.live import customers as customer_rows
from serving.live.changes import Changes
from serving.live.merchandising import Merchandising
from serving.live.served import Served
from serving.recommend.lanes import Lane
from serving.recommend.reasons import reason_kinds
from serving.recommend.recommender import Item

QUEUED = 2  # the most batches per process that are submitted and not yet written

ITEM_FIELDS = [
    (c.RANK, pa.int32()),
    (c.PRODUCT, pa.string()),
    (c.SCORE, pa.float32()),
    (c.REASON, pa.string()),
]
CUSTOMER_SCHEMA = pa.schema([(c.CUSTOMER, pa.string()), (c.LANE, pa.string()), *ITEM_FIELDS])
PRODUCT_SCHEMA = pa.schema(
    [(c.PRODUCT, pa.string()), (c.RANK, pa.int32()), (c.SIMILAR, pa.string()), *ITEM_FIELDS[2:]]
)

Batch = TypeVar("Batch")


@dataclass(frozen=True)
class CustomerBatch:
    """Customers by pseudonym, their ids in the result rows, and the customers with events."""

    customers: list[str]
    ids: list[str]
    active: frozenset[str]
    lanes: tuple[Lane, ...]
    n: int


@dataclass(frozen=True)
class ProductBatch:
    """Products by their rows in the bundle."""

    rows: range
    n: int


def load_served(folder: Path) -> Served:
    """Returns what the service would serve from the bundle in a folder, with all changes up to now.

    Raises NightshelfError if bundle, store or merchandising rules cannot be read.
    """
    config = settings()
    rules = Path(config.shop_rules) if config.shop_rules else None
    changes, merchandising = Changes(config), Merchandising(rules)
    changes.refresh()
    merchandising.reload()
    if merchandising.error:
        raise NightshelfError(merchandising.error)
    bundle = load(folder)
    bundle.precompute()
    return Served(
        "",
        changes.apply_to(bundle),
        per_category=config.per_category or None,
        changes=changes,
        merchandising=merchandising,
    )


def process_batches(
    folder: Path, work: Callable[[Served, Batch], pa.Table], batches: Iterable[Batch]
) -> Iterator[pa.Table]:
    """Yields the results of `work` on each batch, in order; only a few are in memory at a time.

    folder: the bundle's. Raises NightshelfError if a process of the pool is killed.
    """
    cores = os.cpu_count() or 1
    pending: deque[Future[pa.Table]] = deque()
    remaining = iter(batches)
    with ProcessPoolExecutor(cores, multiprocessing.get_context("spawn"), _initialise, (folder,)) as pool:
        try:
            while True:
                free = QUEUED * cores - len(pending)
                pending.extend(pool.submit(_run, work, batch) for batch in itertools.islice(remaining, free))
                if not pending:
                    return
                yield pending.popleft().result()
        except BrokenProcessPool:
            raise NightshelfError(
                "a worker process of the export was killed: check that the machine has enough memory"
            ) from None
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def recommend(served: Served, batch: CustomerBatch) -> pa.Table:
    """Returns the recommendations of each customer in each lane, best first, with schema CUSTOMER_SCHEMA."""
    bundle_rows = find_rows(served.bundle.customers, batch.customers).tolist()
    rows = [
        customer_rows.current(served, customer)
        if customer in batch.active or customer in served.bundle.forgotten
        else (served.bundle, row)
        for customer, row in zip(batch.customers, bundle_rows, strict=True)
    ]
    parts = []
    for lane in batch.lanes:
        query = PersonalQuery(n=batch.n, lane=lane)
        item_lists = list(endpoints.item_lists(served, rows, query, reason_kinds))
        sizes = [len(items) for items in item_lists]
        parts.append(
            {
                c.CUSTOMER: np.repeat(np.array(batch.ids, object), sizes),
                c.LANE: np.full(sum(sizes), lane),
                **_item_columns(served, item_lists, c.PRODUCT),
            }
        )
    return _table(parts, CUSTOMER_SCHEMA)


def find_alternatives(served: Served, batch: ProductBatch) -> pa.Table:
    """Returns the alternatives to each product, best first, with schema PRODUCT_SCHEMA."""
    query = ListQuery(n=batch.n)
    item_lists = [endpoints.alternatives(served, query, row) for row in batch.rows]
    products = np.repeat(batch.rows, [len(items) for items in item_lists])
    columns = {c.PRODUCT: _ids(served, products), **_item_columns(served, item_lists, c.SIMILAR)}
    return _table([columns], PRODUCT_SCHEMA)


_served: Served  # of this process, set when the pool starts it


def _initialise(folder: Path) -> None:
    global _served  # noqa: PLW0603 - a pool runs its initialiser once per process, without a return value
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent process handles Ctrl-C
    threadpool_limits(1)  # one process per core already uses all cores
    _served = load_served(folder)


def _run(work: Callable[[Served, Batch], pa.Table], batch: Batch) -> pa.Table:
    return work(_served, batch)


def _item_columns(served: Served, item_lists: list[list[Item]], product_column: str) -> dict[str, object]:
    """Rank, product, score and reason of the items of all lists, one list after the other."""
    flat = [item for items in item_lists for item in items]
    products = np.array([item.product for item in flat], np.int64)
    return {
        c.RANK: [rank for items in item_lists for rank in range(1, len(items) + 1)],
        product_column: _ids(served, products),
        c.SCORE: np.array([item.score for item in flat], np.float32),
        c.REASON: [item.kind for item in flat],
    }


def _ids(served: Served, products: Array) -> pa.Array:
    """Returns the shop's own ids of products by their rows in the bundle, (n,) int."""
    return pa.array(served.bundle.products[products], pa.binary()).cast(pa.string())


def _table(parts: list[dict[str, object]], schema: pa.Schema) -> pa.Table:
    tables = (
        pa.table([pa.array(part[field.name], field.type) for field in schema], schema) for part in parts
    )
    return pa.concat_tables(tables)
