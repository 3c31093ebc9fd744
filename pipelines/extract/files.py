"""Source `files`: a file, an archive, or a folder that receives files, read as a mapping says."""

import datetime as dt
import logging
from collections.abc import Iterator
from functools import partial
from itertools import groupby
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from pipelines import columns as c
from pipelines.extract import readers
from pipelines.extract.join import JoinedFiles, lines_and_joined
from pipelines.extract.layout import laid_out
from pipelines.extract.lines import order_lines
from pipelines.extract.mapping import Mapping, load_mapping
from pipelines.extract.readers.documents import Document, Listing, list_documents, passed_over_note
from pipelines.extract.readers.fingerprints import EMPTY, Fingerprint, Fingerprints
from pipelines.extract.source import Dialect, LastPull, Position, last_iso_day, source_name
from pipelines.extract.staging import Staging
from pipelines.run.progress import Progress
from serving.errors import NightshelfError

log = logging.getLogger(__name__)

FILES = "files"  # the fingerprint of each file at its last reading, by name
SEEN = "seen"  # the digests of all contents that were ever read
OF_DAY = (c.ORDER_ID, c.ORDERED_AT)  # the columns from which an order's day is read
PART = "part-"  # how Spark and Hadoop name the files of one table

Deliveries = dict[int, list[Document]]


class FileSource:
    """Source `files`: text, workbooks, JSON and Parquet, also compressed or in a zip archive.

    A delivery is one file, or all part-* files of one folder. An order in a later delivery replaces the same
    order in an earlier one, unless the mapping says that orders are split over files. Deliveries are ordered
    by pull, and within a pull by name. A file whose content changed is read again; a file whose
    content was read before, under whatever name, is not.
    """

    def __init__(self, path: str, mapping_name: str) -> None:
        if not path or not Path(path).exists():
            raise NightshelfError(f"there is no file {path!r}: set NIGHTSHELF_FILES_PATH or give --path")
        self.path = Path(path)
        self.mapping = load_mapping(mapping_name)
        self.dialect: Dialect = _with_file_in_key(self.mapping)
        self.columns = self.mapping.columns
        self._joined = JoinedFiles(self.mapping, self.path)
        self.name = source_name("files", str(self.path.resolve()))
        self.description = self.path.name
        self.plan = {"mapping": self.mapping.model_dump(mode="json")}

    def last_day(self, last_pull: LastPull | None) -> dt.date:
        """Returns the day of the last order; raises NightshelfError if no time can be read as a date."""
        new, _ = self._new_deliveries(last_pull)
        times = self.mapping.model_copy(
            update={"columns": {name: self.columns[name] for name in OF_DAY}, "leave_out": ()}
            | dict.fromkeys(("packed", "currency", "events"))
        )
        documents = (document for delivery in new.values() for document in delivery)
        rows = (
            lines[c.ORDERED_AT]
            for document in documents
            for lines in file_lines(document, self._joined, times)
        )
        known = last_pull.last_day if last_pull else None
        day = last_iso_day(rows, self.mapping.timezone) or known
        if day is None:
            raise NightshelfError(
                f"no time in column {self.columns[c.ORDERED_AT]!r} of {self.path.name} can be read as a date:"
                " give --as-of, or set times or correct ordered_at in the mapping"
            )
        return max(day, known or day)

    def orders(self, last_pull: LastPull | None, staging: Staging, progress: Progress) -> Position:
        """Writes the lines of new and changed files to staging; the position is each file's fingerprint."""
        # Before reading, so that a file that grows meanwhile is read again by the next pull.
        new, fingerprints = self._new_deliveries(last_pull)
        orders = 0

        def count(done: int, rows: pa.Table) -> pa.Table:
            nonlocal orders
            orders += pc.count_distinct(rows[c.ORDER_ID]).as_py()
            progress(done, len(new), orders)
            return rows

        for page in set(staging.pages()) - new.keys():
            staging.drop(page)
        for done, (page, documents) in enumerate(new.items()):
            note = {document.name: fingerprints[document.name].digest for document in documents}
            if page not in staging.pages() or staging.note(page) != note:
                lines = (rows for document in documents for rows in file_lines(document, self._joined))
                staging.write(page, map(partial(count, done), lines), note)
        progress(len(new), len(new), orders)
        return _position(fingerprints, last_pull)

    def products(self) -> None:
        """Returns None: a file of orders names products only in its lines."""

    def _new_deliveries(self, last_pull: LastPull | None) -> tuple[Deliveries, Fingerprints]:
        """Returns the deliveries with new content, by their index among all, and all files' fingerprints."""
        listing = list_documents(self.path)
        for document in listing.documents:
            document.check_format()
        reached = last_pull.reached if last_pull else {}
        known = {name: Fingerprint.from_position(entry) for name, entry in reached.get(FILES, {}).items()}
        fingerprints = {document.name: Fingerprint.of(document, known) for document in listing.documents}
        documents = [file for file in listing.documents if fingerprints[file.name].digest != EMPTY]
        self._report(listing, documents)
        fingerprints = {document.name: fingerprints[document.name] for document in documents}
        seen = {*reached.get(SEEN, ())}
        new = {name for name, content in fingerprints.items() if content.is_new(known.get(name), seen)}
        lines, joined = lines_and_joined(documents, self.mapping)
        if new & {document.name for document in joined}:  # they may change any line
            new = {*fingerprints}
        deliveries = dict(enumerate(list(group) for _, group in groupby(lines, _delivery)))
        return {
            i: group for i, group in deliveries.items() if new & {document.name for document in group}
        }, fingerprints

    def _report(self, listing: Listing, documents: list[Document]) -> None:
        """Logs the files that hold no orders; raises NightshelfError if no other is left."""
        empty = [document.name for document in listing.documents if document not in documents]
        passed_over = passed_over_note(listing.passed_over + empty)
        if not documents:
            raise NightshelfError(
                f"{self.path} holds nothing but files of 0 bytes{passed_over}: send the files again"
            )
        if passed_over:
            log.warning("%s holds files without orders%s", self.path.name, passed_over)


def file_lines(document: Document, joined: JoinedFiles, only: Mapping | None = None) -> Iterator[pa.Table]:
    """Yields the order lines of a document, in columns of RAW_ORDERS.

    joined: the mapping's other files, with the mapping.
    only: a mapping with fewer columns, if not all are needed; the header is searched with the whole mapping.
    """
    wanted = only or joined.mapping
    tables = readers.read_tables(document, joined.mapping, wanted.file_columns)
    return order_lines(joined.add_to(laid_out(tables, document, wanted)), wanted, document.name)


def _with_file_in_key(mapping: Mapping) -> Mapping:
    """Returns the mapping; a row that is identified by its number is identified by its file, too."""
    is_by_number = c.LINE in mapping.row_key
    return mapping.model_copy(update={"row_key": (*mapping.row_key, c.SOURCE)}) if is_by_number else mapping


def _delivery(document: Document) -> str:
    folder, _, file = document.name.rpartition("/")
    return folder if file.startswith(PART) else document.name


def _position(fingerprints: Fingerprints, last_pull: LastPull | None) -> Position:
    seen = {*last_pull.reached.get(SEEN, ())} if last_pull else set()
    seen |= {fingerprint.digest for fingerprint in fingerprints.values()}
    return {
        FILES: {name: fingerprint.entry() for name, fingerprint in fingerprints.items()},
        SEEN: sorted(seen),
    }
