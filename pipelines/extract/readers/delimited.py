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
from pipelines.extract.readers.dialects import CsvDialect, recognise, wrong_encoding
from pipelines.extract.readers.documents import Document
from pipelines.extract.readers.encodings import BlockStream, utf8_blocks
from pipelines.extract.readers.quotes import QuoteCheck
from pipelines.extract.records import ROW
from serving.errors import NightshelfError

NOT_UTF8 = "is not valid UTF-8"
FEW_ROWS = 100  # in a file that short, one line that isn't UTF-8 is enough to doubt its encoding
TOO_LONG = "straddl"  # in PyArrow's message about a row longer than its blocks
BLANKS = b" \t\r\n\0"


def read_delimited(document: Document, mapping: Mapping, only: list[str]) -> Iterator[pa.Table]:
    """Yields the rows of a delimited text; a row with too few or too many cells is faulty.

    Raises NightshelfError for a header, an encoding or quotes that can't be read as the mapping says.
    """
    with document.open() as stream:
        blocks = utf8_blocks(stream, mapping.file.encoding, document.name)
        sample = next(blocks, b"")
        if not sample.strip(BLANKS):
            raise NightshelfError(f"{document.name} is empty: remove it, or send it again")
        dialect = recognise(sample, mapping, document.name)
        yield from _Parser(document, mapping, only, dialect).tables(chain([sample[dialect.start :]], blocks))


class _Parser:
    """Parses one text: it numbers rows, and tells unreadable ones from notes below the table."""

    def __init__(self, document: Document, mapping: Mapping, only: list[str], dialect: CsvDialect) -> None:
        self.name, self.mapping, self.only, self.dialect = document.name, mapping, only, dialect
        self.faults: dict[int, str | None] = {}  # by number of the row; None for a note that isn't a row
        self.notes = 0
        self.encoding = _EncodingCheck(document.name, mapping)

    def tables(self, blocks: Iterator[bytes]) -> Iterator[pa.Table]:
        """Yields the rows as tables."""
        check, line = None, self.dialect.first_line
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
                # The next row numbers that don't belong to skipped rows.
                end = line + batch.num_rows + len(self.faults)
                numbers = np.setdiff1d(np.arange(line, end + 1), list(self.faults))[: batch.num_rows]
                line = int(numbers[-1]) + 1 if len(numbers) else line
                yield from self._decoded(batch, numbers)
                yield self._faulty(line)
        except pa.ArrowInvalid as error:
            if check and check.inside and TOO_LONG in str(error):
                raise check.error() from None
            raise
        yield self._faulty(None)
        self.encoding.finish()
        rows.log_passed_over(self.notes, self.name)

    def _open(self, stream: BlockStream) -> Any:
        names = [str(index) for index in range(self.dialect.columns)]
        wanted = [names[self.dialect.positions[column]] for column in self._columns()]
        try:
            return pa.csv.open_csv(
                stream,
                pa.csv.ReadOptions(
                    use_threads=False, column_names=names
                ),  # rows are counted only in one thread
                pa.csv.ParseOptions(
                    delimiter=self.dialect.delimiter,
                    quote_char=self.dialect.quote or False,
                    escape_char=self.dialect.escape or False,
                    newlines_in_values=True,
                    invalid_row_handler=self._skip,
                ),
                pa.csv.ConvertOptions(
                    include_columns=list(dict.fromkeys(wanted)),
                    column_types=dict.fromkeys(wanted, pa.binary()),
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
        is_note = rows.is_note(row.text, self.dialect.delimiter)
        fault = f"has {row.actual_columns} columns, the header has {row.expected_columns}"
        self.faults[number] = None if is_note else fault
        return "skip"

    def _faulty(self, before: int | None) -> pa.Table:
        """Returns the faulty rows with a number below `before`, or all, and forgets them."""
        numbers = [number for number in self.faults if before is None or number < before]
        faults = {number: self.faults.pop(number) for number in numbers}
        lines = {number: fault for number, fault in faults.items() if fault}
        self.notes += len(faults) - len(lines)
        return rows.faulty(self.only, lines)

    def _decoded(self, batch: pa.RecordBatch, numbers: "np.ndarray[Any, Any]") -> Iterator[pa.Table]:
        """Yields the rows of a batch of bytes as strings, and the rows that are not UTF-8 as faulty.

        numbers: the number of each row, int64, shape (rows,).
        """
        columns = {column: batch[str(self.dialect.positions[column])] for column in self._columns()}
        try:
            texts = {column: values.cast(pa.string()) for column, values in columns.items()}
            self.encoding.count(texts)
            yield rows.table(self.only, texts | {ROW: pa.array(numbers)})
        except pa.ArrowInvalid:
            valid = np.array([all(map(_is_utf8, row.values())) for row in batch.to_pylist()])
            self.encoding.refuse(batch.filter(pa.array(~valid)))
            yield rows.faulty(self.only, dict.fromkeys(numbers[~valid].tolist(), NOT_UTF8))
            yield from self._decoded(batch.filter(pa.array(valid)), numbers[valid])


class _EncodingCheck:
    """Tells a UTF-8 text with a few broken lines from a text in another encoding."""

    def __init__(self, name: str, mapping: Mapping) -> None:
        self.name, self.is_stated = name, bool(mapping.file.encoding)
        self.rows = self.broken = self.encoded = 0
        self.sample = b""

    def count(self, columns: dict[str, pa.Array]) -> None:
        """Counts the rows of a batch (strings), and those with characters beyond ASCII."""
        beyond = [pc.invert(pc.fill_null(pc.string_is_ascii(values), True)) for values in columns.values()]
        self.rows += len(beyond[0]) if beyond else 0
        self.encoded += pc.sum(reduce(pc.or_, beyond)).as_py() or 0 if beyond else 0

    def refuse(self, broken: pa.RecordBatch) -> None:
        """Counts rows that are not UTF-8."""
        self.broken += broken.num_rows
        if len(self.sample) < 10_000:
            self.sample += b"\n".join(value for row in broken.to_pylist() for value in row.values() if value)

    def finish(self) -> None:
        """Raises NightshelfError if more rows are broken than are UTF-8."""
        doubtful = self.broken > 1 or self.rows + self.broken < FEW_ROWS
        if not self.is_stated and self.broken > self.encoded and doubtful:
            raise wrong_encoding(self.sample, self.name)


def _is_utf8(value: bytes | None) -> bool:
    try:
        return (value or b"").decode() is not None
    except UnicodeDecodeError:
        return False
