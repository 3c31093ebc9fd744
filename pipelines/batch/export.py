"""The batch output: what the service answers every customer, or of every product, in one table."""

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
from pipelines.batch.workers import Goods, People
from pipelines.extract import raw
from pipelines.settings import customer_key, settings
from serving.bundle.files import load
from serving.bundle.format import find_rows, texts
from serving.live import customers as people
from serving.live.identity import normalise, pseudonym
from serving.live.registry import champion, download
from serving.live.served import Served
from serving.recommend.recommender import Lane

BATCH = 512  # customers or products that are answered at once

log = logging.getLogger(__name__)


def customers(to: str, n: int, lanes: Iterable[Lane], table: str, pseudonyms: bool = False) -> int:
    """The number of the champion's customers written: per customer and lane at most n products by rank.

    to, table: as in `sinks.opened`. The customers are those of the champion and those who came since, by the
    shop's own ids or by their pseudonyms; who has none in raw/ is left out then, and the log says how many.
    """
    with tempfile.TemporaryDirectory() as folder:
        bundle = download(champion(settings()), Path(folder))
        return of_customers(bundle, to, n, lanes, table, pseudonyms)


def products(to: str, n: int, table: str) -> int:
    """The number of the champion's products written: per product at most n alternatives by rank."""
    with tempfile.TemporaryDirectory() as folder:
        return of_products(download(champion(settings()), Path(folder)), to, n, table)


def of_customers(
    bundle: Path, to: str, n: int, lanes: Iterable[Lane], table: str, pseudonyms: bool = False
) -> int:
    """The same as `customers` from the bundle in a folder."""
    everyone, active = _everyone(workers.served(bundle))
    called = everyone if pseudonyms else _own_ids(everyone)
    everyone, called = everyone.filter(pc.is_valid(called)), called.drop_null()
    batches = _of_people(everyone, called, active, tuple(dict.fromkeys(lanes)), n)
    answers = workers.answered(bundle, workers.to_people, batches)
    _write(to, workers.TO_CUSTOMERS, [c.CUSTOMER, c.LANE, c.RANK], table, answers, len(everyone))
    return len(everyone)


def of_products(bundle: Path, to: str, n: int, table: str) -> int:
    """The same as `products` from the bundle in a folder."""
    count = len(load(bundle).products)
    batches = (Goods(range(at, min(at + BATCH, count)), n) for at in range(0, count, BATCH))
    answers = workers.answered(bundle, workers.to_goods, batches)
    _write(to, workers.OF_PRODUCTS, [c.PRODUCT, c.RANK], table, answers, count)
    return count


def _write(
    to: str, schema: pa.Schema, key: list[str], table: str, answers: Iterator[pa.Table], total: int
) -> None:
    console = Console(stderr=True)
    with (
        targets.opened(to, schema, key, table) as write,
        Progress(console=console, transient=True, disable=not console.is_terminal) as progress,
    ):
        task = progress.add_task("answers", total=total)
        for rows in answers:
            write(rows)
            progress.advance(task, BATCH)


def _everyone(served: Served) -> tuple[pa.Array, set[str]]:
    """The pseudonyms of all whom the service knows, and which of them have told it of events."""
    bundle, active = served.bundle, set[str]()
    if served.changes is not None:
        active = served.changes.store.customers()
    came = [
        one
        for one in sorted(active)
        if bundle.customer(one) is None and people.current(served, one)[1] is not None
    ]
    gone = find_rows(bundle.customers, list(bundle.forgotten))
    known = np.ones(len(bundle.customers), bool)
    known[gone[gone >= 0]] = False
    if served.changes is not None:
        served.changes.store.close()
    names = np.concatenate([bundle.customers[known], texts(came)])
    return pa.array(names, pa.binary()).cast(pa.string()), active


def _own_ids(everyone: pa.Array) -> pa.Array:
    """The shop's own id, in its one spelling, of each pseudonym; null of one that raw/ lacks."""
    key, received = customer_key(), raw.customers()
    places = pc.index_in(everyone, pa.array([pseudonym(one, key) for one in received], pa.string()))
    if places.null_count:
        log.warning("%d customers are left out: raw/ holds no id of theirs", places.null_count)
    return pa.array([normalise(one) for one in received], pa.string()).take(places)


def _of_people(
    everyone: pa.Array, called: pa.Array, active: set[str], lanes: tuple[Lane, ...], n: int
) -> Iterator[People]:
    for at in range(0, len(everyone), BATCH):
        some, names = (column.slice(at, BATCH).to_pylist() for column in (everyone, called))
        yield People(some, names, frozenset(active.intersection(some)), lanes, n)
