"""Forgotten customers: removed from every table of the lake, and from everything that sources send later.

A shop's own orders may name a forgotten customer for ever, so the store keeps each pseudonym with the time of
forgetting. Orders up to that day are never read again; later orders count as those of a new customer.
"""

import datetime as dt
import re
from collections import Counter
from collections.abc import Iterator, Set
from dataclasses import dataclass
from functools import cache
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.ipc
import pyarrow.parquet as pq

from pipelines import columns as c
from pipelines.lake import tables
from pipelines.privacy import identity_rules
from pipelines.privacy.identity_rules import Pseudonyms
from pipelines.settings import settings
from serving.live import erasures, events
from serving.live.store import MICROSECONDS_PER_DAY, Store, now_microseconds

VIEW_RETENTION_DAYS = events.VIEW_RETENTION_DAYS
RAW_SOURCE = re.compile(r"(?:raw/orders|staging)/source=([^/]+)/")  # where customers have the shop's own ids
VERSION_FOLDER = re.compile(r"(date|run|full|pull)=.*|[0-9a-f]{32}")  # not part of a table's name


@dataclass(frozen=True)
class ForgottenCustomers:
    """The forgotten customers, each with the day of forgetting; orders after that day are kept."""

    last_day: dict[str, str]  # ISO date by pseudonym

    def among(self, customers: pa.ChunkedArray, pseudonyms: Pseudonyms | None = None) -> dict[str, str]:
        """Returns the last days of those customers that are forgotten, by their value in the column.

        pseudonyms: returns the pseudonyms of an id, if the column holds ids as received.
        """
        if not self.last_day:
            return {}
        last_days = {}
        for value in filter(None, customers.unique().to_pylist()):
            if own := (pseudonyms(value) if pseudonyms else {value}) & self.last_day.keys():
                last_days[value] = max(self.last_day[pseudonym] for pseudonym in own)
        return last_days

    def without(self, rows: pa.Table, pseudonyms: Pseudonyms) -> pa.Table:
        """Returns raw rows without forgotten customers', up to their last day or without a readable day."""
        if not self.last_day:
            return rows
        last_days = self.among(rows[c.CUSTOMER], pseudonyms)
        return rows.filter(pc.invert(_mask(rows, last_days, until_last_day=True)))


def load() -> ForgottenCustomers:
    """Loads all customers who were ever forgotten."""
    store = open_store()
    times = erasures.times(store)
    store.close()
    return from_times(times)


def from_times(times: dict[str, int]) -> ForgottenCustomers:
    """Returns the customers forgotten at these times: microseconds since 1970, by pseudonym."""
    epoch = dt.date(1970, 1, 1)
    last_days = {
        pseudonym: str(epoch + dt.timedelta(days=microseconds // MICROSECONDS_PER_DAY))
        for pseudonym, microseconds in times.items()
    }
    return ForgottenCustomers(last_days)


def open_store() -> Store:
    """Opens the store that the service writes to."""
    store = Store(settings().store_address)
    store.prepare()
    return store


def scrub_pending() -> int:
    """Removes newly forgotten customers from the lake; returns when it checked, in microseconds since 1970.

    A bundle trained from the lake afterwards contains no customer forgotten before that time.
    """
    store = open_store()
    checked_at, pending = now_microseconds(), erasures.pending(store)
    scrub(from_times(pending))
    erasures.mark_done(store, pending)
    events.prune(store, checked_at - VIEW_RETENTION_DAYS * MICROSECONDS_PER_DAY)
    store.close()
    return checked_at


def scrub(customers: ForgottenCustomers) -> Counter[str]:
    """Rewrites the files of the lake without these customers; returns how many rows it removed per table."""
    removed: Counter[str] = Counter()
    for path, rows, mask in _customer_files(customers):
        if count := pc.sum(mask).as_py():
            removed[table_of(path)] += count
            _replace(path, rows.filter(pc.invert(mask)))
    return removed


def count_remaining(customers: ForgottenCustomers) -> Counter[str]:
    """Counts the forgotten customers' rows in each table of the lake; tables without such rows count 0."""
    counts: Counter[str] = Counter()
    for path, _, mask in _customer_files(customers):
        counts[table_of(path)] += pc.sum(mask).as_py() or 0
    return counts


def table_of(path: str) -> str:
    """Returns the table that a file belongs to: its path without day, version and file name."""
    return "/".join(part for part in path.split("/")[:-1] if not VERSION_FOLDER.fullmatch(part))


def _customer_files(forgotten: ForgottenCustomers) -> Iterator[tuple[str, pa.Table, Any]]:
    """Yields each file with a customer column: its path, its rows, and a mask of forgotten customers' rows.

    If no row belongs to a forgotten customer, the rows hold only the customer column.
    """
    pseudonyms_of = cache(identity_rules.pseudonyms_of)
    for path in tables.file_paths():
        customers = _customers(path)
        if customers is None:
            continue
        source = _raw_source(path)
        last_days = forgotten.among(customers, pseudonyms_of(source) if source else None)
        rows = _read(path) if last_days else pa.table({c.CUSTOMER: customers})
        yield path, rows, _mask(rows, last_days, until_last_day=source is not None)


def all_pseudonyms(pseudonyms: Set[str]) -> set[str]:
    """Returns these pseudonyms and all others of the same persons' ids in raw/ and staging/.

    An id is the same person's if it has one of these pseudonyms under the present rule of its source.
    """
    result, used = set(pseudonyms), cache(identity_rules.used)
    for path in tables.file_paths():
        source = _raw_source(path)
        if source in (None, identity_rules.EVENTS):
            continue  # they hold pseudonyms
        if (customers := _customers(path)) is not None:
            for customer in filter(None, customers.unique().to_pylist()):
                if used(source)[-1].pseudonym(customer) in pseudonyms:
                    result |= {other for rule in used(source) if (other := rule.pseudonym(customer))}
    return result


def _raw_source(path: str) -> str | None:
    """Returns the source of a file that holds the shop's own ids, or None for any other file."""
    match = RAW_SOURCE.match(path)
    return match[1] if match else None


def _mask(rows: pa.Table, last_days: dict[str, str], until_last_day: bool) -> Any:
    """Returns a mask of these customers' rows: of all, or only of those up to the customer's last day."""
    index = pc.index_in(rows[c.CUSTOMER], pa.array(last_days, pa.string()))
    of_forgotten = pc.is_valid(index)
    if not until_last_day or not last_days:
        return of_forgotten
    limit = pa.array(last_days.values(), pa.string()).take(index.combine_chunks())
    days = pc.utf8_slice_codeunits(rows[c.ORDERED_AT], 0, c.ISO_DAY_LENGTH)
    later = pc.and_(pc.match_substring_regex(days, c.ISO_DAY), pc.greater(days, limit))
    return pc.and_(of_forgotten, pc.invert(pc.fill_null(later, False)))


def _customers(path: str) -> pa.ChunkedArray | None:
    """Returns the customer column of a file, or None if the file has none."""
    if path.endswith(".parquet"):
        with tables.open_file(path) as file, pq.ParquetFile(file) as parquet:
            has_customers = c.CUSTOMER in parquet.schema_arrow.names
            return parquet.read([c.CUSTOMER])[c.CUSTOMER] if has_customers else None
    return _read(path)[c.CUSTOMER] if path.endswith(".arrow") else None


def _read(path: str) -> pa.Table:
    with tables.open_file(path) as file:
        if path.endswith(".arrow"):
            with pa.ipc.open_stream(file) as stream:
                return stream.read_all()
        return pq.ParquetFile(file).read()


def _replace(path: str, rows: pa.Table) -> None:
    with tables.atomic_write(path) as file:
        if path.endswith(".arrow"):
            with pa.ipc.new_stream(file, rows.schema) as stream:
                stream.write_table(rows)
        else:
            pq.write_table(rows, file)
    folder, _, name = path.rpartition("/")
    tables.remove(f"{folder}/.{name}.crc")  # Hadoop's checksum of the replaced content
