"""Answers for whole crowds: the service's own, batch by batch, by one process for each core."""

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
from serving.live import customers as people
from serving.live.changes import Changes
from serving.live.merchandising import Merchandising
from serving.live.served import Served
from serving.recommend.reasons import reason_kinds
from serving.recommend.recommender import Item, Lane

AHEAD = 2  # batches of each process that wait to be written, at most

OF_ITEM = [(c.RANK, pa.int32()), (c.PRODUCT, pa.string()), (c.SCORE, pa.float32()), (c.REASON, pa.string())]
TO_CUSTOMERS = pa.schema([(c.CUSTOMER, pa.string()), (c.LANE, pa.string()), *OF_ITEM])
OF_PRODUCTS = pa.schema(
    [(c.PRODUCT, pa.string()), (c.RANK, pa.int32()), (c.SIMILAR, pa.string()), *OF_ITEM[2:]]
)

Batch = TypeVar("Batch")


@dataclass(frozen=True)
class People:
    """Some customers by their pseudonyms, what each is called in the rows, and who of them has events."""

    customers: list[str]
    called: list[str]
    active: frozenset[str]
    lanes: tuple[Lane, ...]
    n: int


@dataclass(frozen=True)
class Goods:
    """The products of some rows of the bundle."""

    rows: range
    n: int


def served(folder: Path) -> Served:
    """What the service serves of a bundle, with all changes up to now; raises NightshelfError if it can't."""
    own = settings()
    changes, shop = Changes(own), Merchandising(Path(own.shop_rules) if own.shop_rules else None)
    changes.refresh()
    shop.reload()
    if shop.error:
        raise NightshelfError(shop.error)
    bundle = load(folder)
    bundle.precompute()
    return Served(
        "",
        changes.apply_to(bundle),
        per_category=own.per_category or None,
        changes=changes,
        merchandising=shop,
    )


def answered(
    folder: Path, answer: Callable[[Served, Batch], pa.Table], batches: Iterable[Batch]
) -> Iterator[pa.Table]:
    """The answers to batches, in their order, from the bundle in a folder; few are held at any time.

    Raises NightshelfError where one of the processes is ended from outside.
    """
    cores = os.cpu_count() or 1
    waiting: deque[Future[pa.Table]] = deque()
    asked = iter(batches)
    with ProcessPoolExecutor(cores, multiprocessing.get_context("spawn"), _begin, (folder,)) as pool:
        try:
            while True:
                free = AHEAD * cores - len(waiting)
                waiting.extend(pool.submit(_answer, answer, one) for one in itertools.islice(asked, free))
                if not waiting:
                    return
                yield waiting.popleft().result()
        except BrokenProcessPool:
            raise NightshelfError("a process of the export was ended: is there memory enough?") from None
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def to_people(served: Served, asked: People) -> pa.Table:
    """What each is recommended in each lane, best first, as TO_CUSTOMERS."""
    rows = find_rows(served.bundle.customers, asked.customers).tolist()
    found = [
        people.current(served, one)
        if one in asked.active or one in served.bundle.forgotten
        else (served.bundle, row)
        for one, row in zip(asked.customers, rows, strict=True)
    ]
    parts = []
    for lane in asked.lanes:
        items = list(endpoints.item_lists(served, found, PersonalQuery(n=asked.n, lane=lane), reason_kinds))
        sizes = [len(one) for one in items]
        parts.append(
            {
                c.CUSTOMER: np.repeat(np.array(asked.called, object), sizes),
                c.LANE: np.full(sum(sizes), lane),
                **_told(served, items, c.PRODUCT),
            }
        )
    return _table(parts, TO_CUSTOMERS)


def to_goods(served: Served, asked: Goods) -> pa.Table:
    """The alternatives to each product, best first, as OF_PRODUCTS."""
    question = ListQuery(n=asked.n)
    items = [endpoints.alternatives(served, question, row) for row in asked.rows]
    of_whom = np.repeat(asked.rows, [len(one) for one in items])
    return _table([{c.PRODUCT: _ids(served, of_whom), **_told(served, items, c.SIMILAR)}], OF_PRODUCTS)


_here: Served  # what a process answers from; made when it begins


def _begin(folder: Path) -> None:
    global _here  # noqa: PLW0603 - the one thing that a pool's process is made with
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is heard by the process that waits for this one
    threadpool_limits(1)  # or the processes would be in one another's way
    _here = served(folder)


def _answer(answer: Callable[[Served, Batch], pa.Table], batch: Batch) -> pa.Table:
    return answer(_here, batch)


def _told(served: Served, items: list[list[Item]], name: str) -> dict[str, object]:
    """Ranks, products, scores and reasons of lists of items, one after the other."""
    all_of_them = [item for one in items for item in one]
    products = np.array([item.product for item in all_of_them], np.int64)
    return {
        c.RANK: [rank for one in items for rank in range(1, len(one) + 1)],
        name: _ids(served, products),
        c.SCORE: np.array([item.score for item in all_of_them], np.float32),
        c.REASON: [item.kind for item in all_of_them],
    }


def _ids(served: Served, products: Array) -> pa.Array:
    """The shop's own ids of products by their rows."""
    return pa.array(served.bundle.products[products], pa.binary()).cast(pa.string())


def _table(parts: list[dict[str, object]], schema: pa.Schema) -> pa.Table:
    arrays = (pa.table([pa.array(part[one.name], one.type) for one in schema], schema) for part in parts)
    return pa.concat_tables(arrays)
