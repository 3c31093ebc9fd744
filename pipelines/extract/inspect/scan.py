"""Reads a source as a mapping says: the distinct values of its statuses, its first lines, and all counts."""

import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from pipelines import columns as c
from pipelines.extract import readers
from pipelines.extract.files import file_lines
from pipelines.extract.inspect.show import SHOWN, Counts
from pipelines.extract.inspect.statuses import MAX_WORDS, Values
from pipelines.extract.join import JoinedFiles, lines_and_joined
from pipelines.extract.mapping import Mapping
from pipelines.extract.notation.numbers import PLAIN
from pipelines.extract.readers.documents import Document
from serving.live.identity import canonical, is_nobody

SECONDS = 60.0  # after which a large source is no longer read on
MAX_ORDERS = 5_000_000  # after which counting stops, for want of memory


def distinct_values(documents: list[Document], mapping: Mapping, columns: list[str]) -> Values:
    """Returns the distinct values of columns of all documents, as far as SECONDS allow; those with few."""
    distinct: dict[str, set[str]] = {name: set() for name in columns}
    until = time.monotonic() + SECONDS
    for document in documents:
        # Of an order's lines nothing but its status is needed, so that packed cells stay packed.
        described = mapping.model_copy(update={"columns": {name: name for name in columns}, "packed": None})
        for rows in readers.read_tables(document, described, columns):
            for name in columns:
                if len(distinct[name]) <= MAX_WORDS:
                    distinct[name] |= {
                        text for text in rows[name].unique().to_pylist() if text and text.strip()
                    }
            if time.monotonic() > until:
                break
    return {name: sorted(values) for name, values in distinct.items() if len(values) <= MAX_WORDS}


class Reading:
    """A source's order lines by a mapping."""

    def __init__(self, path: Path, documents: list[Document], mapping: Mapping) -> None:
        self.mapping = mapping
        self.documents, _ = lines_and_joined(documents, mapping)
        self._joined = JoinedFiles(mapping, path)

    def tables(self) -> Iterator[pa.Table]:
        """Yields the order lines of all documents."""
        for document in self.documents:
            yield from self._lines(document)

    def first(self, document: Document) -> pa.Table:
        """Returns the first lines of a document."""
        tables = (rows for rows in self._lines(document) if not _is_faulty(rows))
        parts = list(islice(tables, 1))
        return parts[0].slice(0, SHOWN) if parts else pa.table({})

    def counts(self) -> Counts:
        """Counts all lines, or as many as SECONDS allow."""
        counted = Counting(self.mapping)
        until = time.monotonic() + SECONDS
        for rows in self.tables():
            counted.add(rows)
            if time.monotonic() > until or len(counted.orders) > MAX_ORDERS:
                counted.counts.is_complete = False
                break
        return counted.result()

    def _lines(self, document: Document) -> Iterator[pa.Table]:
        return file_lines(document, self._joined)


class Counting:
    """Counts of the lines read so far, under a mapping's rules."""

    def __init__(self, mapping: Mapping) -> None:
        self.mapping = mapping
        self.counts = Counts()
        self.orders: set[int] = set()  # hashes, which need less memory
        self.customers: set[int] = set()
        self.products: set[int] = set()

    def add(self, rows: pa.Table) -> None:
        """Adds the lines of a table."""
        counts = self.counts
        counts.lines += rows.num_rows
        for reason in pc.value_counts(rows[c.LEFT_OUT].drop_null()).to_pylist():
            counts.left_out[reason["values"]] = counts.left_out.get(reason["values"], 0) + reason["counts"]
        kept = rows.filter(pc.is_null(rows[c.LEFT_OUT]))
        kept = self._without_faults(kept)
        self.orders |= _hashes(kept[c.ORDER_ID])
        self.products |= _hashes(kept[c.PRODUCT])
        self._add_customers(kept)

    def _without_faults(self, rows: pa.Table) -> pa.Table:
        """Counts the lines that would be quarantined, under the first reason; returns the others."""
        for fault, test in _faults(rows, self.mapping).items():
            failed = pc.fill_null(test(rows), False)
            if lines := pc.sum(failed).as_py():
                self.counts.faults[fault] = self.counts.faults.get(fault, 0) + lines
                rows = rows.filter(pc.invert(failed))
        return rows

    def _add_customers(self, rows: pa.Table) -> None:
        if c.CUSTOMER not in rows.column_names:
            self.counts.without_customer += rows.num_rows
            return
        for entry in pc.value_counts(rows[c.CUSTOMER]).to_pylist():
            customer = entry["values"] or ""
            if is_nobody(customer, self.mapping.identity):
                self.counts.without_customer += entry["counts"]
            else:
                self.customers.add(hash(canonical(customer, self.mapping.identity)))

    def result(self) -> Counts:
        """Returns the counts of all lines that were added."""
        counts = self.counts
        counts.orders, counts.customers = len(self.orders), len(self.customers)
        counts.products = len(self.products)
        return counts


Test = Callable[[pa.Table], pa.ChunkedArray]


def _faults(rows: pa.Table, mapping: Mapping) -> dict[str, Test]:
    """Returns a test for each reason for which a line can't be used."""
    tests: dict[str, Test] = {}
    if c.FAULT in rows.column_names:
        tests["unreadable row"] = lambda lines: pc.is_valid(lines[c.FAULT])
    tests["no order"] = lambda lines: _blank(lines[c.ORDER_ID])
    tests["no product"] = lambda lines: _blank(lines[c.PRODUCT])
    tests["no time"] = lambda lines: pc.invert(
        pc.fill_null(pc.match_substring_regex(lines[c.ORDERED_AT], c.ISO_DAY), False)
    )
    if mapping.not_products:
        tests["no product, by not_products"] = lambda lines: pc.match_substring_regex(
            lines[c.PRODUCT], mapping.not_products
        )
    tests["bad quantity"] = lambda lines: pc.invert(_is_number(lines[c.QUANTITY]))
    if mapping.has_prices:
        tests["bad price"] = lambda lines: pc.invert(_is_number(lines[c.UNIT_PRICE]))
        tests["price 0"] = lambda lines: pc.equal(lines[c.UNIT_PRICE].cast(pa.float64()), 0)
    if mapping.free_lines == "keep":
        tests.pop("price 0", None)
    return tests


def _blank(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.fill_null(pc.equal(pc.utf8_trim_whitespace(column), ""), True)


def _is_number(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.fill_null(pc.match_substring_regex(column, PLAIN), False)


def _hashes(column: pa.ChunkedArray) -> set[int]:
    return {hash(text) for text in column.unique().to_pylist() if text is not None}


def _is_faulty(rows: pa.Table) -> bool:
    return c.FAULT in rows.column_names and rows[c.FAULT].null_count < rows.num_rows
