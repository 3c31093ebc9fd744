"""How a delimited text is written: its delimiter, quote and header, recognised unless stated."""

import csv
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from pipelines.extract.mapping import Mapping
from pipelines.extract.readers import header
from pipelines.extract.readers.encodings import NOT_UTF8, wrong_encoding
from pipelines.extract.readers.header import Positions
from serving.errors import NightshelfError

DELIMITERS = ",;\t|"  # common ones, tried first
RARE_DELIMITERS = "^~:!#*\x01\x02\x1c\x1d\x1e\x1f"
QUOTES = "\"'"
SAMPLE_ROWS = 200
ESCAPE = "\\"


@dataclass(frozen=True)
class CsvDialect:
    """How one file is written, and where its rows begin."""

    delimiter: str
    quote: str  # "" if quotes mean nothing
    escape: str  # "" unless a backslash escapes quotes and delimiters
    columns: int
    positions: Positions
    start: int  # bytes before the first row of data
    first_line: int  # the number of the first row of data


def recognise(sample: bytes, mapping: Mapping, name: str) -> CsvDialect:
    """Returns the dialect of a text (UTF-8) from its beginning.

    Raises NightshelfError if no row names the mapping's columns.
    """
    delimiter, rows, index = _header(sample.splitlines(keepends=True), mapping, name)
    names = _cells(rows[index], delimiter, mapping.file.quote)
    positions = header.check(names, mapping, name)
    before, data = rows[: index + 1], rows[index + 1 :][:SAMPLE_ROWS]
    quote = mapping.file.quote if mapping.file.quote is not None else _quote(b"".join(data), delimiter)
    escape = _escape(b"".join(data), delimiter, quote, len(names))
    whole = islice(logical_rows(b"".join(data).splitlines(keepends=True), quote, escape), SAMPLE_ROWS)
    filled = [cells for row in whole if (cells := _cells(row, delimiter, quote, escape))]
    return CsvDialect(
        delimiter=delimiter,
        quote=quote,
        escape=escape,
        columns=_width(names, filled),
        positions=positions,
        start=sum(map(len, before)),
        first_line=sum(len(row.splitlines()) for row in before) + 1,
    )


def _header(lines: list[bytes], mapping: Mapping, name: str) -> tuple[str, list[bytes], int]:
    """Returns the delimiter, the text's rows, and the index of the header among them."""
    candidates = []
    for rows in (list(logical_rows(lines)), lines):  # a stray quote above the header would hide it
        for delimiter in _delimiters(rows, mapping):
            cells = [_cells(row, delimiter, mapping.file.quote) for row in rows[: header.SEARCHED_ROWS]]
            if header_row := header.find(cells, mapping):
                return delimiter, rows, header_row.row
            candidates += [(header.matched(row, mapping), row) for row in cells if row]
    raise _without_header(candidates, lines, mapping, name)


def _without_header(
    candidates: list[tuple[int, list[str]]], lines: list[bytes], mapping: Mapping, name: str
) -> NightshelfError:
    """Returns the error for a text in which no row names all columns."""
    text = b"".join(lines).decode(errors="ignore")
    if NOT_UTF8 in text:
        return wrong_encoding(text, name)
    best = max(candidates, key=lambda candidate: (candidate[0], len(candidate[1])), default=(0, []))[1]
    missing = [names for names in mapping.required_columns if not set(names) & set(_named(best, mapping))]
    return header.missing_column(missing[0][0], best, name)


def _named(cells: Sequence[str], mapping: Mapping) -> list[str]:
    known = {header.normal(cell) for cell in cells}
    return [column for column in mapping.file_columns if header.normal(column) in known]


def logical_rows(lines: list[bytes], quote: str = QUOTES[0], escape: str = "") -> Iterator[bytes]:
    """Yields the lines; lines that a quoted cell spans are joined."""
    sign, escaped = quote.encode(), (escape + quote).encode()
    pending, quotes = b"", 0
    for line in lines:
        pending += line
        quotes += (line.count(sign) - (line.count(escaped) if escape else 0)) if quote else 0
        if quotes % 2 == 0:
            yield pending
            pending, quotes = b"", 0
    if pending:
        yield pending


def _delimiters(rows: list[bytes], mapping: Mapping) -> str:
    if mapping.file.delimiter:
        return mapping.file.delimiter
    text = b"".join(rows[: header.SEARCHED_ROWS]).decode(errors="replace")
    return "".join(sign for sign in DELIMITERS + RARE_DELIMITERS if sign in text) or DELIMITERS[0]


def _cells(row: bytes, delimiter: str, quote: str | None, escape: str = "") -> list[str]:
    text = row.decode(errors="replace").strip("\r\n")
    quote = QUOTES[0] if quote is None else quote
    quoting = {"quotechar": quote} if quote else {"quoting": csv.QUOTE_NONE}
    try:
        return next(csv.reader([text], delimiter=delimiter, escapechar=escape or None, **quoting), [])
    except csv.Error:
        return []


def _quote(data: bytes, delimiter: str) -> str:
    """Returns the quote of a text: an apostrophe only if it encloses cells and double quotes don't."""
    double, single = (len(re.findall(_enclosed(quote, delimiter), data)) for quote in QUOTES)
    opening = len(re.findall(_start(delimiter) + b"'", data))
    return "'" if not double and single and opening - single <= 1 else QUOTES[0]


def _start(delimiter: str) -> bytes:
    return rb"(?:(?<=[\r\n" + re.escape(delimiter.encode()) + rb"])|\A)"


def _enclosed(quote: str, delimiter: str) -> bytes:
    sign = quote.encode()
    end = rb"(?=[\r\n" + re.escape(delimiter.encode()) + rb"]|\Z)"
    return _start(delimiter) + sign + b"(?:[^" + sign + b"]|" + 2 * sign + b")*" + sign + end


def _escape(data: bytes, delimiter: str, quote: str, columns: int) -> str:
    """Returns a backslash if it escapes quotes or delimiters: if it makes more rows regular."""
    if ESCAPE.encode() not in data:
        return ""
    inside = b"\\\\" + re.escape(quote.encode()) + b"[^\r\n" + re.escape(delimiter.encode()) + b"]"
    if quote and re.search(inside, data):
        return ESCAPE
    lines = data.splitlines()
    plain, escaped = (
        sum(len(_cells(line, delimiter, quote, escape)) == columns for line in lines)
        for escape in ("", ESCAPE)
    )
    return ESCAPE if escaped > plain else ""


def _width(names: list[str], rows: list[list[str]]) -> int:
    """Returns the number of columns: the rows' usual number, or the header's if surplus cells hold text."""
    common = Counter(map(len, rows)).most_common(1)
    width = common[0][0] if common else len(names)
    surplus = [names[width:], *(row[len(names) :] for row in rows if len(row) == width)]
    return width if not any(cell.strip() for cells in surplus for cell in cells) else len(names)
