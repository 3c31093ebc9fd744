"""Reads delimited text, such as CSV, by PyArrow's parser."""

from collections.abc import Iterator
from functools import reduce
from itertools import chain
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from pipelines.extract.mapping import Mapping
from pipelines.extract.readers import rows
from pipelines.extract.readers.dialects import CsvDialect, recognise
from pipelines.extract.readers.documents import Document
from pipelines.extract.readers.encodings import NOT_UTF8, BlockStream, Utf8Text, wrong_encoding
from pipelines.extract.readers.quotes import QuoteCheck
from pipelines.extract.records import ROW
from serving.errors import NightshelfError

BROKEN = "is not valid UTF-8"
SAMPLE = 10_000  # characters of broken rows that show the encoding
FEW_ROWS = 100  # in a file that short, one line that isn't UTF-8 is enough to doubt its encoding
TOO_LONG = "straddl"  # in PyArrow's message about a row longer than its blocks
BLANKS = b" \t\r\n\0"


def read_delimited(document: Document, mapping: Mapping, only: list[str]) -> Iterator[pa.Table]:
    """Yields the rows of a delimited text; a row with too few or too many cells is faulty.

    Raises NightshelfError for a header, an encoding or quotes that can't be read as the mapping says.
    """
    with document.open() as stream:
        text = Utf8Text(stream, mapping.file.encoding, document.name)
        blocks = text.blocks()
        sample = next(blocks, b"")
        if not sample.strip(BLANKS):
            raise NightshelfError(f"{document.name} is empty: remove it, or send it again")
        dialect = recognise(sample, mapping, document.name)
        yield from _Parser(text, mapping, only, dialect).tables(chain([sample[dialect.start :]], blocks))


class _Parser:
    """Parses one text: numbers its rows, and separates unreadable rows from notes below the table."""

    def __init__(self, text: Utf8Text, mapping: Mapping, only: list[str], dialect: CsvDialect) -> None:
        self.text, self.name = text, text.name
        self.mapping, self.only, self.dialect = mapping, only, dialect
        self.rows = self.broken = 0  # rows so far, and those that aren't UTF-8
        self.sample = ""  # of what isn't UTF-8
        self.faults: dict[int, str] = {}  # by number of the row
        self.notes: set[int] = set()  # the numbers of faulty rows that look like notes
        self.totals = rows.Totals(mapping, text.name)

    def tables(self, blocks: Iterator[bytes]) -> Iterator[pa.Table]:
        """Yields the rows as tables."""
        check, line, last = None, self.dialect.first_line, 0
        if self.dialect.quote:
            check = QuoteCheck(
                self.dialect.delimiter,
                self.dialect.quote,
                self.dialect.escape,
                self.dialect.columns,
                line,
                self.name,
            )
            blocks = check.checked(blocks)
        try:
            for batch in self._open(BlockStream(blocks)):
                numbers = self._numbers(line, batch.num_rows)
                line = int(numbers[-1]) + 1 if len(numbers) else line
                for table in self._tables(batch, numbers):
                    kept = table if rows.is_faulty(table) else self.totals.without(table)
                    last = max(last, pc.max(kept[ROW]).as_py() or 0)
                    yield kept
                yield self._faulty(last)
        except pa.ArrowInvalid as error:
            if check and check.inside and TOO_LONG in str(error):
                raise check.error() from None
            raise
        # What looks like a note is one only below the last row.
        self.totals.count += sum(self.faults.pop(number, None) is not None for number in self.notes)
        yield self._faulty(None)
        self._check_encoding()
        self.totals.log()

    def _numbers(self, line: int, count: int) -> "np.ndarray[Any, Any]":
        """Returns the next row numbers from `line` on that don't belong to skipped rows: int64, (count,)."""
        if not self.faults:
            return np.arange(line, line + count)
        numbers = np.arange(line, line + count + len(self.faults))
        return np.setdiff1d(numbers, list(self.faults))[:count]

    def _open(self, stream: BlockStream) -> Any:
        names = [str(index) for index in range(self.dialect.columns)]
        wanted = [names[self.dialect.positions[column]] for column in self._columns()]
        try:
            return pa.csv.open_csv(
                stream,
                # PyArrow counts rows only in a single thread.
                pa.csv.ReadOptions(use_threads=False, column_names=names),
                pa.csv.ParseOptions(
                    delimiter=self.dialect.delimiter,
                    quote_char=self.dialect.quote or False,
                    escape_char=self.dialect.escape or False,
                    newlines_in_values=True,
                    invalid_row_handler=self._skip,
                ),
                pa.csv.ConvertOptions(
                    include_columns=list(dict.fromkeys(wanted)),
                    column_types=dict.fromkeys(wanted, pa.string()),
                    check_utf8=False,
                    strings_can_be_null=True,
                    null_values=[""],  # NA is a region
                ),
            )
        except pa.ArrowInvalid as error:
            if "Empty CSV" in str(error):  # a header without rows
                return []
            raise

    def _columns(self) -> list[str]:
        """Returns the wanted columns that the file has."""
        return [column for column in self.only if column in self.dialect.positions]

    def _skip(self, row: Any) -> str:
        number = row.number + self.dialect.first_line - 1
        self.faults[number] = f"has {row.actual_columns} columns, the header has {row.expected_columns}"
        if rows.is_note(row.text, self.dialect.delimiter):
            self.notes.add(number)
        return "skip"

    def _faulty(self, before: int | None) -> pa.Table:
        """Returns the faulty rows with a number below `before`, or all, and removes them from `faults`."""
        numbers = [number for number in self.faults if before is None or number < before]
        self.notes.difference_update(numbers)
        return rows.faulty(self.only, {number: self.faults.pop(number) for number in numbers})

    def _tables(self, batch: pa.RecordBatch, numbers: "np.ndarray[Any, Any]") -> Iterator[pa.Table]:
        """Yields the rows of a batch that are UTF-8, and then the others as faulty.

        numbers: the number of each row, int64, shape (rows,).
        """
        texts = {column: batch[str(self.dialect.positions[column])] for column in self._columns()}
        table = rows.table(self.only, texts | {ROW: pa.array(numbers)})
        self.rows += batch.num_rows
        broken = self._broken(texts) if self.text.marked else None
        if broken is None:
            yield table
        else:
            yield table.filter(pc.invert(broken))
            yield rows.faulty(self.only, dict.fromkeys(table.filter(broken)[ROW].to_pylist(), BROKEN))

    def _broken(self, texts: dict[str, pa.Array]) -> pa.Array | None:
        """Returns a mask of the rows that aren't UTF-8, None if all are."""
        marks = [pc.fill_null(pc.match_substring(values, NOT_UTF8), False) for values in texts.values()]
        broken = reduce(pc.or_, marks)
        if not (count := pc.sum(broken).as_py()):
            return None
        self.broken += count
        for values in texts.values() if len(self.sample) < SAMPLE else ():
            self.sample += "\n".join(text for text in values.filter(broken).to_pylist() if text)[:SAMPLE]
        return broken

    def _check_encoding(self) -> None:
        """Raises NightshelfError if the text is in another encoding, rather than having a few broken rows."""
        doubtful = self.broken > 1 or (self.broken and self.rows < FEW_ROWS)
        if doubtful and not self.mapping.file.encoding and self.text.marked > self.text.encoded:
            raise wrong_encoding(self.sample, self.name)
