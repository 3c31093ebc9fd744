"""Reads the sheets of workbooks: .xlsx, .xlsm, .xlsb, .xls and .ods."""

import subprocess
import sys
import zipfile
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import fastexcel
import pyarrow as pa

from pipelines.extract.mapping import Mapping
from pipelines.extract.readers import archives, header, rows
from pipelines.extract.readers.documents import Document
from pipelines.extract.readers.header import Header
from pipelines.extract.records import ROW
from serving.errors import NightshelfError

FREE_BYTES = 1 << 28  # a workbook is held in memory
SHEET_ROWS = 10_000_000  # more than a sheet can have
MAX_MEMORY = 1 << 32  # bytes, for all cells between the first and the last of a sheet
MAX_SECONDS = 600
# Reads each sheet once, within a bound on memory; where a sheet needs more, Rust ends the whole process.
CHILD = """
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[2]),) * 2)
import fastexcel
try:
    book = fastexcel.read_excel(sys.argv[1])
    for sheet in book.sheet_names:
        book.load_sheet(sheet, header_row=None, n_rows=1, dtypes="string")
except MemoryError:
    sys.exit(1)
except Exception:
    pass  # the reader says what is wrong
"""


def read_workbook(document: Document, mapping: Mapping, only: list[str]) -> Iterator[pa.Table]:
    """Yields the rows of all sheets that have the mapping's columns, or of those that it names.

    Rows are numbered as in the sheet, plus SHEET_ROWS for each sheet before it.
    Raises NightshelfError if no sheet has the columns, or a sheet that the mapping names is missing.
    """
    with document.local_path() as path:
        _check_size(path, document.name)
        if not _fits_into_memory(path, path.stat().st_mtime_ns):
            raise NightshelfError(
                f"{document.name} needs more than {MAX_MEMORY >> 30} GiB of memory, probably for stray cells"
                " far beyond its last row or column: delete what stands there, or save it as CSV"
            )
        try:
            yield from _sheets(fastexcel.read_excel(path), document.name, mapping, only)
        except fastexcel.FastExcelError as error:
            raise NightshelfError(
                f"{document.name} can't be read as a workbook ({type(error).__name__}): open it and save"
                " it again without a password"
            ) from None


def _sheets(book: fastexcel.ExcelReader, name: str, mapping: Mapping, only: list[str]) -> Iterator[pa.Table]:
    if missing := [sheet for sheet in mapping.file.sheets if sheet not in book.sheet_names]:
        raise NightshelfError(
            f"{name} has no sheet {missing[0]!r}; its sheets are {', '.join(map(repr, book.sheet_names))}:"
            " correct `sheets` under [file] in the mapping"
        )
    tops = {sheet: _top(book, sheet) for sheet in mapping.file.sheets or book.sheet_names}
    headers = {sheet: header.find(top, mapping) for sheet, top in tops.items()}
    if not any(headers.values()):
        best = max(
            (row for top in tops.values() for row in top),
            key=lambda row: header.matched(row, mapping),
            default=[],
        )
        header.check(best, mapping, name)
    totals = rows.Totals(mapping, name)
    for index, (sheet, head) in enumerate(headers.items()):
        if head:
            header.check(head.cells, mapping, f"{name} (sheet {sheet!r})")
            yield from map(totals.without, _rows(book, sheet, head, only, index * SHEET_ROWS))
    totals.log()


def _top(book: fastexcel.ExcelReader, sheet: str) -> list[list[str]]:
    """Returns the first rows of a sheet as strings."""
    loaded = book.load_sheet(
        sheet, header_row=None, skip_rows=0, n_rows=header.SEARCHED_ROWS, dtypes="string"
    )
    cells = [column.to_pylist() for column in loaded.to_arrow().columns]
    return [[cell or "" for cell in row] for row in zip(*cells, strict=True)]


def _rows(
    book: fastexcel.ExcelReader, sheet: str, head: Header, only: list[str], offset: int
) -> Iterator[pa.Table]:
    columns = [column for column in only if column in head.positions]
    loaded = book.load_sheet(
        sheet,
        header_row=None,
        skip_rows=head.row + 1,
        use_columns=sorted({head.positions[column] for column in columns}),
        schema_sample_rows=None,  # all: what is of another type than the sample's would be lost
    )
    batch = loaded.to_arrow()
    order = sorted({head.positions[column] for column in columns})
    values = {column: batch.column(order.index(head.positions[column])) for column in columns}
    numeric = frozenset(column for column in columns if rows.is_number(values[column].type))
    texts = {column: rows.as_text(array) for column, array in values.items()}
    first = offset + head.row + 2
    table = rows.table(only, texts | {ROW: pa.array(range(first, first + batch.num_rows))}, numeric)
    for start in range(0, table.num_rows, rows.BATCH_ROWS):
        yield table.slice(start, rows.BATCH_ROWS)


def _check_size(path: Path, name: str) -> None:
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(info.file_size for info in archive.infolist())
        archives.check_size(unpacked, path.stat().st_size, name, FREE_BYTES)


@lru_cache
def _fits_into_memory(path: Path, changed: int) -> bool:
    """Returns whether a child process can read the workbook, as it was changed last, within MAX_MEMORY."""
    command = [sys.executable, "-c", CHILD, str(path), str(MAX_MEMORY)]
    try:
        child = subprocess.run(command, capture_output=True, timeout=MAX_SECONDS, check=False)  # noqa: S603
    except subprocess.TimeoutExpired:
        return False
    return child.returncode == 0
