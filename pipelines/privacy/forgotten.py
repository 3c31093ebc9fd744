"""Whom the shop has forgotten: out of every table of the lake, and out of all that comes of sources later.

A shop's own orders may tell of the person for ever, so that pseudonym and time are kept in the store. What
was bought up to the day of the forgetting is never read again; what came after it is a new person's.
"""

import datetime as dt
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.ipc
import pyarrow.parquet as pq

from pipelines import columns as c
from pipelines.lake import tables
from pipelines.settings import customer_key, settings
from serving.live.identity import row_pseudonym
from serving.live.store import DAY as MICROSECONDS_OF_A_DAY
from serving.live.store import Store, now_microseconds

DAYS_OF_LOOKING = 90  # after which what was viewed or in a cart tells nothing more
AS_RECEIVED = ("raw/", "staging/")  # where customers have the shop's own ids
DAY_LETTERS = len("2026-01-31")
ISO_DAY = r"^\d{4}-\d\d-\d\d$"
NO_PLACE = re.compile(r"(date|run|full|pull)=.*|[0-9a-f]{32}")  # of a table, but of a night, pull or version


@dataclass(frozen=True)
class ForgottenCustomers:
    """The last day of each forgotten person, by pseudonym, as text."""

    last_day: dict[str, str]

    def among(self, customers: pa.ChunkedArray, as_received: bool) -> dict[str, str]:
        """The last days of the forgotten among customers, by what stands for them there."""
        if not self.last_day:
            return {}
        found = (one for one in customers.unique().to_pylist() if one)
        named = {one: row_pseudonym(one, customer_key()) if as_received else one for one in found}
        return {one: self.last_day[who] for one, who in named.items() if who in self.last_day}

    def without(self, rows: pa.Table) -> pa.Table:
        """Rows as received, without what the forgotten bought up to their last day, or at no readable one."""
        return rows.filter(pc.invert(self.in_raw(rows))) if self.last_day else rows

    def in_raw(self, rows: pa.Table) -> pa.Array:
        """Whether each row as received is of a forgotten person."""
        found = self.among(rows[c.CUSTOMER], as_received=True)
        return _of(rows, found, until_their_day=True)


def load() -> ForgottenCustomers:
    """All who were ever forgotten."""
    store = open_store()
    news = store.changes_since(0)
    store.close()
    return from_times(news.forgotten if news else {})


def from_times(times: dict[str, int]) -> ForgottenCustomers:
    """The same of pseudonyms and times, in microseconds since 1970."""
    epoch = dt.date(1970, 1, 1)
    days = {who: epoch + dt.timedelta(days=at // MICROSECONDS_OF_A_DAY) for who, at in times.items()}
    return ForgottenCustomers({who: str(day) for who, day in days.items()})


def open_store() -> Store:
    """The store that the service writes to."""
    store = Store(settings().store_address)
    store.prepare()
    return store


def scrub_pending() -> int:
    """When it looked who is forgotten, in microseconds since 1970; the lake holds nothing more of these.

    So whatever is learned from the lake from now on knows nothing of them.
    """
    store = open_store()
    at, pending = now_microseconds(), store.pending_erasures()
    scrub(from_times(pending))
    store.mark_erased(pending)
    store.prune(at - DAYS_OF_LOOKING * MICROSECONDS_OF_A_DAY)
    store.close()
    return at


def scrub(gone: ForgottenCustomers) -> Counter[str]:
    """How many rows went, by place: every file of the lake is written anew without the forgotten."""
    removed: Counter[str] = Counter()
    for path, rows, mine in _found(gone):
        if count := pc.sum(mine).as_py():
            removed[table_of(path)] += count
            _replace(path, rows.filter(pc.invert(mine)))
    return removed


def count_remaining(gone: ForgottenCustomers) -> Counter[str]:
    """How many rows of the forgotten there are, by place; places without one stand with 0."""
    found: Counter[str] = Counter()
    for path, _, mine in _found(gone):
        found[table_of(path)] += pc.sum(mine).as_py() or 0
    return found


def table_of(path: str) -> str:
    """The table that a file belongs to, without its day, its version and its part."""
    return "/".join(part for part in path.split("/")[:-1] if not NO_PLACE.fullmatch(part))


def _found(gone: ForgottenCustomers) -> Iterator[tuple[str, pa.Table, Any]]:
    """Every file that names customers: its path, its rows, and whether each is of a forgotten person."""
    for path in tables.files():
        as_received = path.startswith(AS_RECEIVED)
        customers = _customers(path)
        if customers is None:
            continue
        found = gone.among(customers, as_received)
        rows = _read(path) if found else pa.table({c.CUSTOMER: customers})
        yield path, rows, _of(rows, found, until_their_day=as_received)


def _of(rows: pa.Table, found: dict[str, str], until_their_day: bool) -> Any:
    at = pc.index_in(rows[c.CUSTOMER], pa.array(found, pa.string()))
    mine = pc.is_valid(at)
    if not until_their_day or not found:
        return mine
    last = pa.array(found.values(), pa.string()).take(at.combine_chunks())
    days = pc.utf8_slice_codeunits(rows[c.ORDERED_AT], 0, DAY_LETTERS)
    later = pc.and_(pc.match_substring_regex(days, ISO_DAY), pc.greater(days, last))
    return pc.and_(mine, pc.invert(pc.fill_null(later, False)))


def _customers(path: str) -> pa.ChunkedArray | None:
    """The customers that a file names, row by row; None where it is of something else."""
    if path.endswith(".parquet"):
        with tables.opened(path) as file, pq.ParquetFile(file) as found:
            named = c.CUSTOMER in found.schema_arrow.names
            return found.read([c.CUSTOMER])[c.CUSTOMER] if named else None
    return _read(path)[c.CUSTOMER] if path.endswith(".arrow") else None


def _read(path: str) -> pa.Table:
    with tables.opened(path) as file:
        if path.endswith(".arrow"):
            with pa.ipc.open_stream(file) as stream:
                return stream.read_all()
        return pq.ParquetFile(file).read()


def _replace(path: str, rows: pa.Table) -> None:
    with tables.whole(path) as file:
        if path.endswith(".arrow"):
            with pa.ipc.new_stream(file, rows.schema) as stream:
                stream.write_table(rows)
        else:
            pq.write_table(rows, file)
    folder, _, name = path.rpartition("/")
    tables.remove(f"{folder}/.{name}.crc")  # which Hadoop wrote of what is gone
